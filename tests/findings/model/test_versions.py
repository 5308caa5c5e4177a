from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.findings.model import cwe, packages, versions

ECOSYSTEMS = ["npm", "pypi", "maven", "golang", "cargo", "gem", "composer", "nuget"]
_dotted = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))


def _text(parts: tuple[int, int, int]) -> str:
    return ".".join(map(str, parts))


@pytest.mark.parametrize("ecosystem", [*ECOSYSTEMS, None])
@given(installed=_dotted, fixed=st.lists(_dotted, max_size=6))
def test_the_choice_is_the_smallest_version_above_the_installed_one(
    ecosystem: str | None, installed: tuple[int, int, int], fixed: list[tuple[int, int, int]]
) -> None:
    choice = versions.choose(ecosystem, _text(installed), map(_text, fixed))
    above = sorted({parts for parts in fixed if parts > installed})
    expected = versions.Choice(_text(above[0]), tuple(map(_text, above[1:]))) if above else None
    assert choice == expected


@pytest.mark.parametrize(
    ("ecosystem", "installed", "fixed", "expected"),
    [
        ("deb", "7.81.0-1ubuntu1.14", ["7.81.0-1ubuntu1.15"], "7.81.0-1ubuntu1.15"),
        ("deb", "1:1.0-1", ["1.2-1"], None),
        ("apk", "1.1.1c-r0", ["1.1.1d-r0"], "1.1.1d-r0"),
        ("rpm", "7.61.1-8.el8", ["7.61.1-11.el8", "7.61.1-9.el8"], "7.61.1-9.el8"),
        ("pypi", "2.0rc1", ["2.0"], "2.0"),
        ("golang", "v1.9.0", ["v1.10.0"], "v1.10.0"),
        ("maven", "1.0-alpha", ["1.0"], "1.0"),
        (None, "1.1.1c-r0", ["1.1.1d-r0"], None),
        ("npm", None, ["1.0.0"], None),
        ("nuget", "no digits", ["1.0.0"], None),
    ],
)
def test_each_ecosystem_orders_its_own_versions(
    ecosystem: str | None, installed: str | None, fixed: list[str], expected: str | None
) -> None:
    choice = versions.choose(ecosystem, installed, fixed)
    assert (choice.version if choice else None) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6.0.1, 5.0.1", ("6.0.1", "5.0.1")),
        ("~> 5.2.4, >= 6.0.3.1", ("5.2.4", "6.0.3.1")),
        (">= 1.2.3, < 2.0.0", ("1.2.3",)),
        ("> 1.2.3", ()),
        ("1:2.3-4+deb10u1", ("1:2.3-4+deb10u1",)),
        ("", ()),
    ],
)
def test_fixed_versions_are_taken_out_of_lists_and_ranges(text: str, expected: tuple[str, ...]) -> None:
    assert versions.candidates(text) == expected


def test_cwes_are_found_however_they_are_written() -> None:
    assert cwe.of(["external/cwe/cwe-079", "CWE-78: OS command"], "cwe:22", None, [{"cweId": "CWE-506"}]) == (
        "CWE-22",
        "CWE-78",
        "CWE-79",
        "CWE-506",
    )


@given(
    kind=st.sampled_from(sorted(packages._SIMPLE)),
    name=st.from_regex(r"[a-z0-9_.@A-Z-]{1,6}(/[a-z0-9.]{1,4}){0,2}", fullmatch=True),
    version=st.one_of(st.none(), st.from_regex(r"[0-9a-zA-Z.+~:_-]{1,8}", fullmatch=True)),
)
def test_purls_made_quickly_are_the_library_s(kind: str, name: str, version: str | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        quick = packages.make_purl.__wrapped__(kind, name, version, "debian")
        patch.setattr(packages, "_SIMPLE", set())
        assert packages.make_purl.__wrapped__(kind, name, version, "debian") == quick


def test_purls_follow_the_ecosystem_s_way_of_naming() -> None:
    assert packages.make_purl("maven", "org.app:core", "1.0") == "pkg:maven/org.app/core@1.0"
    assert packages.make_purl("npm", "@scope/name", "1.0") == "pkg:npm/%40scope/name@1.0"
    assert packages.make_purl("golang", "example.org/x/net", "v1") == "pkg:golang/example.org/x/net@v1"
    assert packages.make_purl("deb", "curl", "7", namespace="debian") == "pkg:deb/debian/curl@7"
    assert packages.make_purl("deb", "curl", "7") is None
    assert packages.purl_type("Debian:12") == "deb"


_identifier = st.sampled_from(["0", "1", "2", "10", "alpha", "beta", "rc", "a-b", "-", "x1", "0a"])
_semantic = st.builds(
    lambda prefix, parts, before: prefix + _text(parts) + (f"-{'.'.join(before)}" if before else ""),
    st.sampled_from(["", "v"]),
    st.tuples(*[st.integers(0, 2)] * 3),
    st.lists(_identifier, max_size=3),
)


@pytest.mark.parametrize("ecosystem", sorted(versions._SEMANTIC))
@given(first=_semantic, second=_semantic)
def test_semantic_versions_are_ordered_quickly_as_univers_orders_them(
    ecosystem: str, first: str, second: str
) -> None:
    quick = versions._less(versions.key(ecosystem, first), versions.key(ecosystem, second))
    assert quick == (versions._univers(ecosystem, first) < versions._univers(ecosystem, second))


def test_a_semantic_version_with_a_leading_zero_is_left_to_univers() -> None:
    assert versions.key("npm", "1.0.0-01") is versions._univers("npm", "1.0.0-01") is None


@given(installed=_semantic, others=st.lists(_semantic, max_size=6))
def test_the_nearest_version_is_the_chosen_one(installed: str, others: list[str]) -> None:
    choice = versions.choose("cargo", installed, others)
    assert versions.nearest("cargo", installed, others) == (choice.version if choice else None)
