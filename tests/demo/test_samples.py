"""The shipped samples of CrossVul and CVEfixes: true columns, true oddities, invented content."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.demo.crossvul_sample import crossvul_rows
from daemon.demo.cvefixes_sample import cvefixes_rows
from daemon.demo.git_show import Change, blob_id, file_diff, taken_and_given
from daemon.demo.samples import write_samples
from daemon.demo.specimen import all_fixes, make_specimen, source
from jobs.fs.files import read_jsonl

DATA = Path(__file__).parents[2] / "daemon" / "demo" / "data"
REPORTS = DATA / "reports"
APP = DATA / "app"

CROSSVUL_COLUMNS = [
    "cwe_id", "cwe_description", "language", "vulnerable_code", "fixed_code", "file_pair_id", "source",
    "language_dir",
]  # fmt: skip
CVEFIXES_COLUMNS = [
    "cve_id", "hash", "repo_url", "cve_description", "cvss2_base_score", "cvss3_base_score", "published_date",
    "severity", "cwe_id", "cwe_name", "cwe_description", "commit_message", "commit_date", "version_tag",
    "repo_total_files", "repo_total_commits", "file_paths", "language", "diff_stats", "diff_with_context",
    "vulnerable_code", "fixed_code", "security_keywords",
]  # fmt: skip
HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")

LINE = st.text(alphabet="ab {}\t-+@", max_size=4)
TEXT = st.lists(LINE, max_size=25).map(lambda lines: "".join(line + "\n" for line in lines))


def hunk_bodies(diff: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Each hunk's header and its lines, read by the counts in the header as `patch` does."""
    lines = iter(diff.splitlines())
    for line in lines:
        match = HUNK.match(line)
        if match is None:
            continue
        old, new = (int(match[n] if match[n] is not None else 1) for n in (2, 4))
        body: list[str] = []
        while old or new:
            body.append(next(lines))
            old -= body[-1][0] in " -"
            new -= body[-1][0] in " +"
        yield match, body


def patched(before: str, diff: str) -> str:
    """Apply a diff by hand; the lines of every hunk must stand where its header says."""
    old, new, at = before.splitlines(), list[str](), 0
    for match, body in hunk_bodies(diff):
        start = int(match[1]) - (match[2] != "0")
        new += old[at:start]
        taken = [line[1:] for line in body if line[0] in " -"]
        assert old[start : start + len(taken)] == taken
        new += [line[1:] for line in body if line[0] in " +"]
        at = start + len(taken)
    return "".join(line + "\n" for line in new + old[at:])


def crossvul() -> list[dict[str, Any]]:
    return list(read_jsonl(DATA / "public" / "crossvul" / "train.jsonl"))


def cvefixes() -> list[dict[str, Any]]:
    return list(read_jsonl(DATA / "public" / "cvefixes" / "train.jsonl"))


def plain_diffs() -> list[dict[str, Any]]:
    return [row for row in cvefixes() if "\nMerge: " not in row["diff_with_context"]]


# --- the generator


@pytest.mark.slow
def test_the_shipped_samples_are_what_the_generator_writes(tmp_path: Path) -> None:
    written = write_samples(tmp_path)
    assert written == {"crossvul": 220, "cvefixes": 160}
    for name in written:
        shipped = DATA / "public" / name / "train.jsonl"
        assert (tmp_path / name / "train.jsonl").read_bytes() == shipped.read_bytes()


@pytest.mark.slow
def test_the_generator_yields_the_same_rows_twice() -> None:
    assert list(crossvul_rows()) == list(crossvul_rows())
    assert list(cvefixes_rows()) == list(cvefixes_rows())


def test_each_sample_file_stays_below_700_kilobytes() -> None:
    assert all(path.stat().st_size < 700_000 for path in (DATA / "public").rglob("*.jsonl"))


@pytest.mark.parametrize("number", range(len(all_fixes())))
def test_every_template_is_filled_and_changes_one_to_six_lines(number: int) -> None:
    specimen = make_specimen(all_fixes()[number], source("test", number))
    assert not re.search(r"@[A-Za-z]+\d?@", specimen.before + specimen.after + specimen.subject)
    taken, given_ = taken_and_given([Change("a", specimen.before, specimen.after)])
    assert specimen.before != specimen.after
    assert all(15 <= text.count("\n") <= 66 for text in (specimen.before, specimen.after))
    assert max(len(taken.splitlines()), len(given_.splitlines())) <= 6


def test_every_python_file_of_the_samples_parses() -> None:
    rows = [row for row in crossvul() if row["language"] == "python"]
    assert len(rows) > 30
    for row in rows:
        ast.parse(row["vulnerable_code"])
        ast.parse(row["fixed_code"])


# --- CrossVul


def test_crossvul_rows_have_exactly_the_true_columns_all_text() -> None:
    for row in crossvul():
        assert list(row) == CROSSVUL_COLUMNS
        assert all(isinstance(value, str) for value in row.values())


def test_the_crossvul_sample_covers_seven_languages_and_twenty_families() -> None:
    rows = crossvul()
    assert {row["language"] for row in rows} == {"python", "javascript", "java", "go", "php", "c", "ruby"}
    assert len({row["cwe_id"] for row in rows}) >= 20


def test_the_crossvul_sample_holds_the_true_oddities() -> None:
    rows = crossvul()
    assert any(row["vulnerable_code"] == row["fixed_code"] for row in rows)
    assert any(row["vulnerable_code"] == "" for row in rows)
    assert any(row["fixed_code"] == "" for row in rows)
    assert any("unittest" in row["vulnerable_code"] for row in rows)
    assert any(row["vulnerable_code"].startswith("# Envelope") for row in rows)
    assert any(row["language"] == "php" and row["language_dir"] == "inc" for row in rows)
    assert sum(row["file_pair_id"].endswith("_1") for row in rows) > 20
    pairs = [row["file_pair_id"] for row in rows]
    assert len(pairs) == len(set(pairs))
    codes = [row["vulnerable_code"] for row in rows]
    assert len(codes) - len(set(codes)) == 1


# --- CVEfixes


def test_cvefixes_rows_have_exactly_the_true_columns() -> None:
    for row in cvefixes():
        assert list(row) == CVEFIXES_COLUMNS
        assert isinstance(row["file_paths"], list)
        assert isinstance(row["security_keywords"], list)
        assert set(json.loads(row["diff_stats"])) == {"files", "insertions", "deletions"}
        assert row["language"][0].isupper()


def test_a_cve_description_is_the_repr_of_a_list_with_an_english_text() -> None:
    for row in cvefixes():
        texts = ast.literal_eval(row["cve_description"])
        assert [text["value"] for text in texts if text["lang"] == "en"]


def test_the_cvefixes_sample_holds_the_true_oddities() -> None:
    rows = cvefixes()
    assert any(row["severity"] == "nan" for row in rows)
    assert any(row["cwe_id"] is None for row in rows)
    assert any(row["cwe_id"] == "NVD-CWE-noinfo" for row in rows)
    assert any("diff --cc " in row["diff_with_context"] for row in rows)
    assert any("diff --" not in row["diff_with_context"] for row in rows)
    assert any("CHANGELOG.md" in row["file_paths"] for row in rows)
    assert any(path.startswith("tests/") for row in rows for path in row["file_paths"])
    assert any(row["vulnerable_code"] == row["fixed_code"] != "" for row in rows)
    assert any(row["vulnerable_code"] == "" != row["fixed_code"] for row in rows)
    by_hash: dict[str, set[str]] = {}
    by_cve: dict[str, set[str]] = {}
    for row in rows:
        by_hash.setdefault(row["hash"], set()).add(row["cwe_id"])
        by_cve.setdefault(row["cve_id"], set()).add(row["hash"])
    assert any(len(cwes) == 2 for cwes in by_hash.values())
    assert any(len(hashes) == 2 for hashes in by_cve.values())


def test_a_commit_names_each_file_once() -> None:
    assert all(len(row["file_paths"]) == len(set(row["file_paths"])) for row in cvefixes())


def test_no_cve_and_no_address_of_the_samples_can_be_real() -> None:
    for row in cvefixes():
        assert row["cve_id"].startswith("CVE-2099-")
        assert row["repo_url"].startswith("https://git.example.org/")


def test_the_code_columns_are_the_joined_lines_of_the_diff() -> None:
    for row in plain_diffs():
        lines = [line for _, body in hunk_bodies(row["diff_with_context"]) for line in body]
        assert row["vulnerable_code"] == "\n".join(line[1:] for line in lines if line[0] == "-")
        assert row["fixed_code"] == "\n".join(line[1:] for line in lines if line[0] == "+")


def test_each_side_of_each_diff_can_be_rebuilt_from_its_hunks() -> None:
    for row in plain_diffs():
        files = re.split(r"(?m)^(?=diff --git )", row["diff_with_context"])[1:]
        assert [re.match(r"diff --git a/(\S+) b/\1\n", part)[1] for part in files] == row["file_paths"]  # type: ignore[index]
        for part in files:
            assert list(hunk_bodies(part))


def test_some_fixes_stand_in_both_samples() -> None:
    diffs = {row["fixed_code"] for row in cvefixes()}
    pairs = [Change("a", row["vulnerable_code"], row["fixed_code"]) for row in crossvul()]
    assert sum(taken_and_given([pair])[1] in diffs for pair in pairs if pair.before and pair.after) >= 5


@given(before=TEXT, after=TEXT)
def test_a_diff_turns_the_file_before_into_the_file_after(before: str, after: str) -> None:
    assert patched(before, file_diff(Change("a.txt", before, after))) == after


def test_the_blob_id_is_gits_own() -> None:
    assert blob_id("what is up, doc?") == "bd9dbf5"  # the example in Pro Git, chapter 10.2
    assert blob_id("") == "e69de29"


def test_git_itself_applies_a_generated_diff(tmp_path: Path) -> None:
    specimen = make_specimen(all_fixes()[0], source("git", 0))
    (tmp_path / "a.txt").write_text(specimen.before)
    (tmp_path / "fix.diff").write_text(file_diff(Change("a.txt", specimen.before, specimen.after)))
    subprocess.run(["git", "apply", "fix.diff"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "a.txt").read_text() == specimen.after
