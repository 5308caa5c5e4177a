"""CVEfixes: commits become candidates per file and hunk, and the set's oddities are counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jobs.datasets.examples.drop_reasons import Drops
from jobs.datasets.public.sources.cvefixes import candidates, description_of


def taken(row: dict[str, Any]) -> tuple[list[Any], dict[str, int]]:
    drops = Drops()
    return candidates(row, 5, drops), drops.to_json()


def test_before_and_after_come_from_the_diff_and_not_from_the_joined_lines(made: SimpleNamespace) -> None:
    (candidate,), dropped = taken(made.cvefixes_row(4))
    window = candidate.group.window(5)
    assert dropped == {}
    assert "cursor.execute('select ' + ember_4)" in window.before
    assert "only the" not in window.before + window.after
    assert candidate.description == "A query of shop 4 is built from input."
    assert candidate.cwes == (("CWE-89", "SQL Injection"),)
    assert candidate.groups == (f"commit:{4:040x}", "cve:CVE-2031-10004")
    assert candidate.attribution.endswith("CC BY 4.0")


def test_the_language_is_the_file_s_and_not_the_commit_s(made: SimpleNamespace) -> None:
    diff = made.git_diff("web/app.js", 1) + "\n" + made.git_diff("lib/app.rb", 2)
    found, _ = taken(made.cvefixes_row(1, diff_with_context=diff, language="PHP"))
    assert [candidate.language for candidate in found] == ["javascript", "ruby"]
    assert not any(candidate.whole_fix for candidate in found)


def test_only_the_code_files_of_a_commit_are_kept_and_the_others_counted(made: SimpleNamespace) -> None:
    left_out = {
        "tests/test_shop.py": "test_code",
        "src/ShopTest.java": "test_code",
        "docs/shop.rst": "documentation",
        "CHANGELOG.md": "changelog",
        "package-lock.json": "lock_file",
        "static/app.min.js": "minified",
        "vendor/lib/a.go": "generated",
        "api/shop.pb.go": "generated",
        "data/shop.bin": "not_code",
    }
    diff = "\n".join(made.git_diff(path, number) for number, path in enumerate([*left_out, "shop/query.py"]))
    (candidate,), dropped = taken(made.cvefixes_row(1, diff_with_context=diff))
    assert candidate.key.split("|")[2] == "shop/query.py"
    assert candidate.whole_fix
    assert dropped == {
        "changelog": 1,
        "documentation": 1,
        "generated": 2,
        "lock_file": 1,
        "minified": 1,
        "not_code": 1,
        "test_code": 2,
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"diff_with_context": None}, "no_diff"),
        ({"diff_with_context": "nan"}, "no_diff"),
        ({"commit_message": "Merge pull request #12 from a/b"}, "merge_commit"),
        (
            {"diff_with_context": "diff --cc a.py\nindex 1,2..3\n@@@ -1,1 -1,1 +1,1 @@@\n--a\n++b"},
            "merge_commit",
        ),
        ({"diff_with_context": "diff --git a/a.py b/a.py\n@@ -1,9 +1,9 @@\n x\n-y"}, "torn_diff"),
        ({"diff_with_context": "+" * 3_000_000}, "huge_commit"),
    ],
)
def test_a_commit_that_teaches_nothing_is_dropped_with_its_reason(
    made: SimpleNamespace, changes: dict[str, Any], reason: str
) -> None:
    assert taken(made.cvefixes_row(1, **changes)) == ([], {reason: 1})


def test_a_commit_over_many_files_is_dropped(made: SimpleNamespace) -> None:
    diff = "\n".join(made.git_diff(f"shop/part_{number}.py", number) for number in range(11))
    assert taken(made.cvefixes_row(1, diff_with_context=diff)) == ([], {"huge_commit": 1})


def test_two_rows_of_one_commit_have_the_same_keys_whatever_their_cve(made: SimpleNamespace) -> None:
    (one,), _ = taken(made.cvefixes_row(1))
    (other,), _ = taken(made.cvefixes_row(1, cve_id="CVE-2031-99999", cwe_id="CWE-20"))
    assert one.key == other.key


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[{'lang': 'es', 'value': 'hola'}, {'lang': 'en', 'value': \"it's open\"}]", "it's open"),
        ([{"lang": "en", "value": "a list already"}], "a list already"),
        ("[{'lang': 'es', 'value': 'hola'}]", ""),
        ("[{'lang': 'en', 'value': ", ""),
        ("A plain sentence.", "A plain sentence."),
        ("nan", ""),
        (None, ""),
        (3.5, ""),
    ],
)
def test_a_description_is_the_english_text_of_the_repr(value: Any, expected: str) -> None:
    assert description_of(value) == expected
