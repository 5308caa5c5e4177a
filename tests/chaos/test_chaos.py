"""The chaos itself, short; and its judge, who must see what is broken."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("sessions")


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("plan")


@pytest.fixture
def deliveries(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("deliveries")


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("writes")


def log_of(*trainers: tuple[int, int, int]) -> list[dict[str, Any]]:
    """A run's log in which trainers (pid, start, reached) follow each other."""
    lines: list[dict[str, Any]] = [{"event": "step started", "step": "train_1"}]

    def line(event: str, pid: int, **facts: Any) -> None:
        moment = f"2026-01-01T00:00:{len(lines):02d}.000Z"
        lines.append({"timestamp": moment, "event": event, "step": "train_1", "pid": pid, **facts})

    for pid, start, reached in trainers:
        line("training begins", pid, start=start)
        line("training", pid, iteration=start, valid_loss=1.0)
        for iteration in range(start + 1, reached + 1):
            line("training", pid, iteration=iteration, train_loss=1.0)
    return lines


def judged(sessions: ModuleType, killed: set[int], *trainers: tuple[int, int, int]) -> tuple[list[int], int]:
    found = sessions.sessions_of(log_of(*trainers))["train_1"]
    redone, problems = sessions.redone_between(found, killed, 5, 12)
    return redone, len(problems)


def test_a_killed_trainer_may_cost_one_checkpoint_interval(sessions: ModuleType) -> None:
    assert judged(sessions, set(), (7, 0, 12)) == ([], 0)
    assert judged(sessions, {7}, (7, 0, 9), (8, 5, 12)) == ([4], 0)
    assert judged(sessions, {7, 8}, (7, 0, 4), (8, 0, 0), (9, 0, 12)) == ([4, 0], 0)


def test_what_costs_more_or_has_no_reason_is_seen(sessions: ModuleType) -> None:
    assert judged(sessions, {7}, (7, 0, 11), (8, 5, 12)) == ([6], 1)  # a checkpoint was lost
    assert judged(sessions, set(), (7, 0, 9), (8, 9, 12)) == ([0], 1)  # nobody had killed it
    assert judged(sessions, {7}, (7, 0, 9), (8, 10, 12)) == ([-1], 1)  # an iteration was left out
    assert judged(sessions, set(), (7, 0, 11)) == ([], 1)
    assert judged(sessions, set(), (7, 3, 12)) == ([], 1)


def test_two_trainers_at_once_are_seen(sessions: ModuleType) -> None:
    one_after_the_other = log_of((7, 0, 4), (8, 0, 12))
    assert sessions.together(sessions.sessions_of(one_after_the_other)["train_1"]) == []
    late = {**one_after_the_other[6], "timestamp": "2026-01-01T00:00:09.500Z"}
    mixed = sessions.sessions_of([*one_after_the_other, late])["train_1"]
    assert len(sessions.together(mixed)) == 1


def test_the_plan_depends_on_the_seed_alone_and_covers_every_run(plan: ModuleType) -> None:
    aims = plan.plan(20, 100, 3)
    assert aims == plan.plan(20, 100, 3)
    assert aims != plan.plan(20, 100, 4)
    assert len(aims) == 100
    assert {aim.run for aim in aims} == set(range(20))
    assert {aim.victim for aim in aims} == {"daemon", "child", "both"}


def test_deliveries_share_no_finding_and_are_the_same_every_time(
    deliveries: ModuleType, tmp_path: Path
) -> None:
    from jobs.findings.files.archive import Limits
    from jobs.findings.parse import parse_paths

    limits = Limits(max_file_bytes=8 << 20, max_members=100, max_total_bytes=32 << 20, max_ratio=200)
    paths = deliveries.write_deliveries(tmp_path / "a", 4)
    again = deliveries.write_deliveries(tmp_path / "b", 4)
    assert [path.read_bytes() for path in paths] == [path.read_bytes() for path in again]
    found = [{finding.fingerprint for finding in parse_paths([path], limits).findings} for path in paths]
    assert all(len(each) >= 5 for each in found)
    assert len(set().union(*found)) == sum(map(len, found))


def test_who_writes_a_file_is_known_by_its_place(writes: ModuleType, tmp_path: Path) -> None:
    run = tmp_path / "training-runs" / "r"
    expected = {
        run / ".run-manifest.json.0123abcd.tmp": "daemon",
        run / "work" / "train_1" / ".request.json.0123abcd.tmp": "daemon",
        run / "work" / "train_1" / ".checkpoint.tmp.safetensors": "child",
        run / "stage1" / ".training-data.0123abcd.tmp": "child",
        run / "stage1" / "evaluation" / ".evaluation_results.json.0123abcd.tmp": "daemon",
    }
    for path in (*expected, run / "stage1" / "metrics.jsonl"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert {write.path: write.writer for write in writes.unfinished([run])} == expected


@pytest.mark.slow
def test_two_runs_survive_eight_kills(tmp_path: Path) -> None:
    words = ["--runs", "2", "--kills", "8", "--deliveries", "1", "--json", "--keep", str(tmp_path / "home")]
    done = subprocess.run(
        [sys.executable, str(HERE), *words],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert len(facts["shots"]) == 8
    assert [verdict["problems"] for verdict in facts["verdicts"]] == [[]] * len(facts["verdicts"])
