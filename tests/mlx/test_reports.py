"""What is told of a training that goes on: no line twice, none lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import files
from jobs.child import Assignment
from jobs.mlx.checkpoint import Position
from jobs.mlx.reports import Reports


def reports(folder: Path, start: int) -> Reports:
    return Reports(Assignment(folder, {}, folder / "log", {}), folder / "metrics.jsonl", (start, 20), 3)


@pytest.mark.parametrize(("step", "kept"), [(0, []), (4, [0, 3]), (10, [0, 3, 6, 10])])
def test_a_training_that_goes_on_keeps_what_its_checkpoint_covers(
    tmp_path: Path, step: int, kept: list[int]
) -> None:
    earlier = reports(tmp_path, 0)
    for iteration in (0, 3, 6, 10, 12):
        earlier.validated(iteration, 1.0 / (iteration + 1))
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"iteration": 15, "torn')
    later = reports(tmp_path, step)
    later.go_back(Position(step))
    assert [iteration for iteration, _ in later.history("valid_loss")] == kept
    marks = [row["iteration"] for row in files.read_jsonl(tmp_path / "metrics.jsonl") if "resumed" in row]
    assert marks == ([step] if step else [])
