"""A whole delivery, the demo's own reports: its answers pass the gate and do not leak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.datasets.build import build_stage2
from jobs.datasets.examples.drop_reasons import DROP_REASONS
from jobs.datasets.examples.example import fenced_code, prompt_code
from jobs.datasets.examples.quality import Pair, judge
from jobs.datasets.request import Stage2Request
from jobs.findings.files.archive import Limits
from jobs.findings.parse import parse_paths

REPORTS = Path(__file__).resolve().parents[2] / "daemon" / "demo" / "data" / "reports"
Build = Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]]


@pytest.fixture
def build(
    stage2: Callable[..., Stage2Request], stage1: Callable[..., Any], made: SimpleNamespace, tmp_path: Path
) -> Build:
    limits = Limits(max_file_bytes=1 << 26, max_members=10, max_total_bytes=1 << 26, max_ratio=100)
    findings = list(parse_paths([REPORTS], limits).findings)

    def run(**changes: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        replay_from = made.write_lines(tmp_path / "replayed" / "train.jsonl", [])
        request = stage2(findings, replay_from, max_seq_length=4096, replay_ratio=0.0, **changes)
        stats = build_stage2(request, made.silent)
        rows = [
            row
            for part in ("train", "valid", "test")
            for row in made.read_lines(request.out / f"{part}.jsonl")
        ]
        return stats, rows

    return run


@pytest.mark.slow
def test_every_answer_of_a_delivery_passes_the_gate_and_none_leaks(build: Build) -> None:
    stats, rows = build()
    assert stats["leakage"]["leaks"] == 0
    assert set(stats["per_provenance"]) == {"edit_tool", "version", "table"}
    assert set(stats["dropped"]) <= set(DROP_REASONS)
    for tool in ("trivy", "osv", "semgrep", "checkov", "zap"):
        assert stats["per_tool"][tool]["examples"] > 0
    for row in rows:
        _, user, assistant = (message["content"] for message in row["messages"])
        tag = assistant.partition("\n")[0].removeprefix("```") or None
        pair = Pair(prompt_code(user), fenced_code(assistant), tag)
        assert judge(pair, user, "standard").refusal is None
    assert "low" not in {row["metadata"]["quality"] for row in rows}


@pytest.mark.slow
def test_advice_joins_a_delivery_only_where_the_setting_asks_for_it(build: Build) -> None:
    without, _ = build()
    stats, rows = build(include_advice=True)
    found = Counter(row["metadata"]["quality"] for row in rows)
    assert found["low"] > 0
    assert stats["per_provenance"]["advice"] <= without["dropped"]["advice_only"]
    assert "advice_only" not in stats["dropped"]
    assert stats["leakage"]["leaks"] == 0
