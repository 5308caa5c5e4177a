"""The time that is left is estimated from the time the machine was awake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.children.entry import Assignment
from jobs.children.protocol import PROGRESS
from jobs.fs import files
from jobs.mlx.training import reports as module
from jobs.mlx.training.reports import Reports, Span


class Clock:
    """The wall's clock and the machine's own, which stands still while the machine sleeps."""

    def __init__(self) -> None:
        self.awake = 100.0
        self.asleep = 0.0

    def monotonic(self) -> float:
        return self.awake

    def time(self) -> float:
        return self.awake + self.asleep


def told(iteration: int) -> dict[str, Any]:
    return {
        "iteration": iteration,
        "iterations_per_second": 0.5,
        "train_loss": 1.0,
        "tokens_per_second": 10.0,
        "learning_rate": 1e-5,
        "peak_memory": 1.0,
    }


@pytest.mark.parametrize("slept", [0.0, 8 * 3600.0])
def test_a_night_with_the_lid_closed_does_not_make_the_rest_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slept: float
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    assignment = Assignment(tmp_path, {}, tmp_path / "run.log", {})
    reports = Reports(assignment, tmp_path / "metrics.jsonl", Span(0, 100), 10)
    for iteration in range(1, 21):
        clock.awake += 2.0
        clock.asleep += slept if iteration == 15 else 0.0
        reports.on_train_loss_report(told(iteration))
    left = [row["eta_seconds"] for row in files.read_jsonl(tmp_path / PROGRESS)]
    assert left == [2.0 * 90, 2.0 * 80]


def test_a_resumed_training_counts_only_what_it_did_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    assignment = Assignment(tmp_path, {}, tmp_path / "run.log", {})
    reports = Reports(assignment, tmp_path / "metrics.jsonl", Span(50, 100), 10)
    for iteration in range(1, 11):
        clock.awake += 3.0
        reports.on_train_loss_report(told(iteration))
    (left,) = [row["eta_seconds"] for row in files.read_jsonl(tmp_path / PROGRESS)]
    assert left == 3.0 * 40
