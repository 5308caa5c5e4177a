"""Checks our table of true fixes against Checkov: every check fails before its fix and passes after it.

Run it where Checkov is installed (it is no dependency of ours): `python -m benchmarks.verify_fixes CHECKOV`
compares with the recorded outcomes, `--record` writes them anew. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.datasets.fixes.checkov.rules import FIX_RULES, apply_rule, fix_rule_of
from jobs.findings.files.archive import Limits
from jobs.findings.model.finding import Finding
from jobs.findings.parse import parse_paths
from jobs.fs import files

DATA = Path(__file__).resolve().parent.parent / "tests" / "data" / "datasets"
SPECIMENS = DATA / "specimens"
OUTCOMES = DATA / "checkov_outcomes.jsonl"
_LIMITS = Limits(max_file_bytes=1 << 28, max_members=1000, max_total_bytes=1 << 29, max_ratio=200)
_FRAMEWORKS = ("terraform", "kubernetes", "dockerfile", "github_actions")


def _scan(checkov: str, folder: Path) -> list[Finding]:
    command = [checkov, "-d", ".", "-o", "json", "--quiet", "--skip-download", "--framework", *_FRAMEWORKS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    report = folder.parent / f"{folder.name}.json"
    report.write_text(done.stdout, encoding="utf-8")
    return [_with_code(finding, folder) for finding in parse_paths([report], _LIMITS).findings]


def _with_code(finding: Finding, folder: Path) -> Finding:
    """For some checks Checkov reports the lines without their code; it is taken from the checkout then."""
    place = finding.location
    if (
        place is None
        or place.snippet
        or not place.valid
        or place.start_line is None
        or place.end_line is None
    ):
        return finding
    lines = (folder / place.path).read_text(encoding="utf-8").split("\n")
    found = tuple(enumerate(lines[place.start_line - 1 : place.end_line], place.start_line))
    return replace(finding, location=replace(place, snippet=found))


def _specimens(folder: Path) -> Path:
    shutil.copytree(SPECIMENS, folder)
    workflows = folder / ".github" / "workflows"
    workflows.parent.mkdir()
    (folder / "workflows").rename(workflows)
    return folder


def _apply(finding: Finding) -> tuple[str, str] | None:
    rule = fix_rule_of(finding)
    sides = apply_rule(finding, rule) if rule else None
    return sides if isinstance(sides, tuple) else None


def _spliced(path: Path, finding: Finding, after: str) -> None:
    assert finding.location is not None
    numbers = [number for number, _ in finding.location.snippet]
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join([*lines[: numbers[0] - 1], after, *lines[numbers[-1] :]]), encoding="utf-8")


def _outcomes(checkov: str) -> Iterator[dict[str, Any]]:
    """One row for each check of the table and each specimen in which it fails and our fix applies."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        original = _specimens(root / "before")
        findings = [finding for finding in _scan(checkov, original) if _apply(finding)]
        # One copy of the specimens for each round: a fix changes the lines of the next one in its file.
        rounds: list[list[Finding]] = []
        for finding in findings:
            path = finding.location.path if finding.location else ""
            free = next(
                (one for one in rounds if all(each.location and each.location.path != path for each in one)),
                None,
            )
            if free is None:
                rounds.append(free := [])
            free.append(finding)
        after_root = root / "after"
        for number, chosen in enumerate(rounds):
            folder = _specimens(after_root / str(number)) if number else _specimens(_made(after_root) / "0")
            for finding in chosen:
                sides = _apply(finding)
                assert sides is not None
                assert finding.location is not None
                _spliced(folder / finding.location.path, finding, sides[1])
        still = {
            (finding.rule, finding.resource, finding.location.path)
            for finding in _scan(checkov, after_root)
            if finding.location
        }
        for number, chosen in enumerate(rounds):
            yield from (_row(finding, str(number), still) for finding in chosen)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _row(finding: Finding, number: str, still: set[tuple[str, str | None, str]]) -> dict[str, Any]:
    sides = _apply(finding)
    assert sides is not None
    assert finding.location is not None
    path = finding.location.path
    fails = any(
        rule == finding.rule and place == f"{number}/{path}" and _same(resource, finding.resource)
        for rule, resource, place in still
    )
    return {
        "check": finding.rule,
        "path": path,
        "resource": finding.resource,
        "first_line": finding.location.snippet[0][0],
        "before": sides[0],
        "after": sides[1],
        "passes_after": not fails,
    }


def _same(one: str | None, other: str | None) -> bool:
    """Checkov puts the file's path before a Dockerfile's and a workflow's resource."""
    return (one or "").rpartition("/")[2].split("Dockerfile")[-1] == (other or "").rpartition("/")[2].split(
        "Dockerfile"
    )[-1]


def main() -> int:
    """Verify the table; the exit status is 0 where every check of it passes after its fix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkov", help="the checkov command")
    parser.add_argument("--record", action="store_true", help="write the outcomes into the tests' data")
    asked = parser.parse_args()
    rows = sorted(_outcomes(asked.checkov), key=lambda row: (row["check"], row["path"], row["resource"]))
    failing = [row for row in rows if not row["passes_after"]]
    unproven = sorted(set(FIX_RULES) - {row["check"] for row in rows if row["passes_after"]})
    known = list(files.read_jsonl(OUTCOMES)) if OUTCOMES.exists() else []
    summary = {
        "checks": len(FIX_RULES),
        "proven": len(FIX_RULES) - len(unproven),
        "fixes": len(rows),
        "still_failing": [[row["check"], row["resource"]] for row in failing],
        "unproven": unproven,
        "as_recorded": rows == known,
    }
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")
    if asked.record:
        files.write_jsonl(OUTCOMES, rows)
    return 1 if failing or unproven or (not asked.record and rows != known) else 0


if __name__ == "__main__":
    sys.exit(main())
