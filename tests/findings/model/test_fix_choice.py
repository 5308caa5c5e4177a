"""The chosen fix over generated advisories: six ecosystems, ranges and packages in any order."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from univers.version_range import RANGE_CLASS_BY_SCHEMES

from jobs.findings.merge.merge import merge
from jobs.findings.model import versions
from jobs.findings.model.finding import Finding
from jobs.findings.scanners import osv
from jobs.findings.scanners.reading import ReportReading
from jobs.findings.scanners.registry import KNOWN_TOOLS

# OSV's name of the ecosystem, the purl type, a package of it, how it writes a version.
ECOSYSTEMS = {
    "npm": ("npm", "@keys/ring", "{}"),
    "PyPI": ("pypi", "Key_Ring", "{}"),
    "Maven": ("maven", "org.keys:ring", "{}"),
    "Go": ("golang", "example.org/keys/ring", "v{}"),
    "crates.io": ("cargo", "keyring", "{}"),
    "RubyGems": ("gem", "keyring", "{}"),
}
_version = st.tuples(st.integers(0, 4), st.integers(0, 12), st.integers(0, 12))
_Parts = tuple[int, int, int]


@dataclass(frozen=True)
class Case:
    """An advisory: branch by branch [introduced, fixed), and the version in use."""

    ecosystem: str
    branches: tuple[tuple[_Parts, _Parts | None], ...]
    installed: _Parts
    seed: int

    def text(self, parts: _Parts) -> str:
        return ECOSYSTEMS[self.ecosystem][2].format(".".join(map(str, parts)))

    def expected(self) -> _Parts | None:
        """The fixed end of the branch that holds the installed version: nothing else mends it."""
        held = [
            end
            for start, end in self.branches
            if start <= self.installed and (end is None or self.installed < end)
        ]
        return held[0] if held else None


@st.composite
def cases(draw: st.DrawFn) -> Case:
    points = sorted(draw(st.sets(_version, min_size=2, max_size=8)))
    pairs: list[tuple[_Parts, _Parts | None]] = list(zip(points[::2], points[1::2], strict=False))
    if len(points) % 2:
        pairs.append((points[-1], None))  # the last branch has no fix yet
    near = [point for pair in pairs for point in pair if point]
    installed = draw(st.one_of(_version, st.sampled_from(near)))
    return Case(draw(st.sampled_from(sorted(ECOSYSTEMS))), tuple(pairs), installed, draw(st.integers(0, 99)))


def advisory(case: Case, chance: random.Random) -> dict[str, Any]:
    """The case as an OSV record, among other packages' ranges that would all be lower or far higher."""
    kind, name = case.ecosystem, ECOSYSTEMS[case.ecosystem][1]
    word = "SEMVER" if kind in {"npm", "Go", "crates.io"} else "ECOSYSTEM"
    joined: list[dict[str, str]] = []
    ranges: list[dict[str, Any]] = [{"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "4.13.99"}]}]
    for start, end in case.branches:
        events = [{"introduced": case.text(start)}] + ([{"fixed": case.text(end)}] if end else [])
        chance.shuffle(events)
        if chance.random() < 0.5:
            joined += events
        else:
            ranges.append({"type": word, "events": events})
    chance.shuffle(joined)
    ranges += [{"type": word, "events": joined}] if joined else []
    chance.shuffle(ranges)
    strange = [{"type": word, "events": [{"introduced": "0"}, {"fixed": case.text((9, 9, 9))}]}]
    foreign = next(other for other in ECOSYSTEMS if other != kind)
    affected = [
        {"package": {"name": name, "ecosystem": kind}, "ranges": ranges},
        {"package": {"name": f"{name}-extras", "ecosystem": kind}, "ranges": strange},
        {"package": {"name": name, "ecosystem": foreign}, "ranges": strange},
        {"ranges": strange},
    ]
    chance.shuffle(affected)
    return {"id": "GHSA-gene-rate-d000", "summary": "generated", "affected": affected}


def found(case: Case, order: int) -> Finding:
    name = ECOSYSTEMS[case.ecosystem][1]
    entry = {
        "package": {"name": name, "version": case.text(case.installed), "ecosystem": case.ecosystem},
        "vulnerabilities": [advisory(case, random.Random(order))],
        "groups": [],
    }
    reading = ReportReading("r", "0" * 64)
    osv.read({"results": [{"source": {"path": "lock"}, "packages": [entry]}]}, reading)
    (finding,) = merge(reading.findings, KNOWN_TOOLS)
    return finding


@given(case=cases())
def test_the_fix_ends_the_branch_that_holds_the_installed_version_whatever_the_order(case: Case) -> None:
    fixes = [found(case, case.seed + order).fix for order in range(3)]
    assert fixes[0] == fixes[1] == fixes[2]
    expected = case.expected()
    if expected is None:
        assert fixes[0].version is None
        return
    assert fixes[0].provenance == "version"
    assert fixes[0].version == case.text(expected)
    above = {case.text(end) for _, end in case.branches if end and end > case.installed} - {fixes[0].version}
    assert set(fixes[0].alternatives) == above


@given(case=cases())
def test_a_fix_is_above_the_installed_version_by_the_ecosystem_s_own_order(case: Case) -> None:
    finding = found(case, case.seed)
    kind = ECOSYSTEMS[case.ecosystem][0]
    assert finding.package is not None
    assert finding.package.ecosystem == kind
    own = RANGE_CLASS_BY_SCHEMES[kind].version_class
    for version in filter(None, (finding.fix.version, *finding.fix.alternatives)):
        assert own(version) > own(finding.package.version)
        assert version != case.text((9, 9, 9)), "another package's fix"


@given(case=cases())
def test_trivy_s_list_gives_its_smallest_version_above_the_installed_one(case: Case) -> None:
    kind = ECOSYSTEMS[case.ecosystem][0]
    fixed = [case.text(end) for _, end in case.branches if end]
    random.Random(case.seed).shuffle(fixed)
    choice = versions.choose(kind, case.text(case.installed), versions.candidates(", ".join(fixed)))
    above = sorted(end for _, end in case.branches if end and end > case.installed)
    assert (choice.version if choice else None) == (case.text(above[0]) if above else None)


@pytest.mark.parametrize("kind", sorted(versions._NUMERIC))
@given(
    first=st.lists(st.integers(0, 30), min_size=1, max_size=4),
    second=st.lists(st.integers(0, 30), min_size=1, max_size=4),
)
def test_dotted_numbers_order_as_univers_orders_them(kind: str, first: list[int], second: list[int]) -> None:
    if kind in {"npm", "cargo", "composer", "golang"}:
        # SemVer has three numbers, and univers takes a fourth for a pre-release.
        first, second = first[:3], second[:3]
    low, high = (".".join(map(str, parts)) for parts in (first, second))
    own = RANGE_CLASS_BY_SCHEMES[kind].version_class
    try:
        expected = bool(own(low) <= own(high))
    except Exception:
        return  # univers reads fewer texts as versions of that ecosystem than there are dotted numbers
    assert versions.at_most(kind, low, high) is expected
