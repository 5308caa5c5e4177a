"""The right answer to each of a table of findings, written by hand, against what the room makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.datasets.examples.example import Example, fenced_code
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.fixes.render import FindingRenderer
from jobs.findings.files.archive import Limits
from jobs.findings.model.finding import Finding
from jobs.findings.parse import parse_paths

ROOT = Path(__file__).resolve().parents[3]
TABLE: list[dict[str, Any]] = yaml.safe_load(
    (ROOT / "tests/data/datasets/answers_by_hand.yaml").read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def findings() -> tuple[Finding, ...]:
    limits = Limits(max_file_bytes=1 << 26, max_members=10, max_total_bytes=1 << 26, max_ratio=100)
    return parse_paths([ROOT / "daemon/demo/data/reports"], limits).findings


@pytest.fixture(scope="module")
def renderer(tokenizer: Path) -> FindingRenderer:
    return FindingRenderer(TokenCounter(tokenizer), 4096, "webauthn")


def places(finding: Finding) -> set[str | None]:
    location = finding.location
    path = {location.path, f"{location.path}:{location.start_line}"} if location else set()
    return {None, finding.package.name if finding.package else None, finding.resource, *path}


def the_finding(findings: tuple[Finding, ...], row: dict[str, Any]) -> Finding:
    found = [
        finding
        for finding in findings
        if (finding.tool, finding.rule) == (row["tool"], row["rule"]) and row.get("place") in places(finding)
    ]
    assert found, row
    return found[0]


def name(row: dict[str, Any]) -> str:
    return f"{row['tool']}-{row['rule']}-{row.get('place', row.get('framework', ''))}"


def test_the_table_holds_at_least_sixty_findings() -> None:
    assert len(TABLE) >= 60
    assert len({name(row) for row in TABLE}) == len(TABLE)


@pytest.mark.parametrize("row", TABLE, ids=name)
def test_each_finding_gets_the_answer_that_was_written_by_hand(
    findings: tuple[Finding, ...], renderer: FindingRenderer, row: dict[str, Any]
) -> None:
    made = renderer.examples(the_finding(findings, row))
    if "refused" in row:
        assert made == row["refused"]
        return
    assert not isinstance(made, str), made
    chosen: list[Example] = [
        example for example, _ in made if example.metadata.get("framework") == row.get("framework")
    ]
    assert [fenced_code(example.answer) for example in chosen] == [row["answer"]]
