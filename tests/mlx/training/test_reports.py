"""What is told of a training that goes on: no line twice, none lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.children.entry import Assignment
from jobs.fs import files
from jobs.mlx.training.checkpoint import Position
from jobs.mlx.training.reports import Reports, Span


def reports(folder: Path, start: int) -> Reports:
    return Reports(Assignment(folder, {}, folder / "log", {}), folder / "metrics.jsonl", Span(start, 20), 3)


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
    later.rewind(Position(step))
    assert [loss.iteration for loss in later.history.valid] == kept
    marks = [row["iteration"] for row in files.read_jsonl(tmp_path / "metrics.jsonl") if "resumed" in row]
    assert marks == ([step] if step else [])


def test_numbers_of_before_a_resume_count_and_the_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = tmp_path / "metrics.jsonl"
    for row in (
        {"iteration": 0, "valid_loss": 9.0},
        {"iteration": 3, "train_loss": 8.0, "peak_memory_gb": 2.0},
        {"iteration": 5, "valid_loss": 3.0},
        {"iteration": 6, "train_loss": 7.0, "peak_memory_gb": 3.0},
        {"iteration": 9, "train_loss": 6.0, "peak_memory_gb": 99.0},  # is done again
    ):
        files.append_jsonl(metrics, row)
    later = reports(tmp_path, 6)
    later.rewind(Position(6))
    monkeypatch.setattr(files, "read_jsonl", None)  # whoever reads it again fails
    later.validated(10, 4.0)
    later.on_train_loss_report(
        {
            "iteration": 14,
            "train_loss": 5.0,
            "learning_rate": 1.0,
            "tokens_per_second": 1.0,
            "peak_memory": 2.5,
            "iterations_per_second": 1.0,
        }
    )
    seen = later.history
    assert [(loss.iteration, loss.value) for loss in seen.valid] == [(0, 9.0), (5, 3.0), (10, 4.0)]
    assert [loss.iteration for loss in seen.of_trained] == [5, 10]
    assert (seen.first_train_loss, seen.final_train_loss, seen.peak_memory_gb) == (8.0, 5.0, 3.0)


def test_going_back_forgets_what_is_done_again_and_what_a_killed_trainer_was_writing(tmp_path: Path) -> None:
    metrics = tmp_path / "stage1" / "metrics.jsonl"
    metrics.parent.mkdir()
    for iteration in range(1, 8):
        files.append_jsonl(metrics, {"iteration": iteration, "train_loss": 1.0})
    for cut in (files.temporary_beside(metrics), files.temporary_beside(metrics)):
        cut.write_text("half")
    assignment = Assignment(tmp_path, {}, tmp_path / "run.log", {})
    Reports(assignment, metrics, Span(5, 9), 1).rewind(Position(5))
    rows = list(files.read_jsonl(metrics))
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 5]
    assert rows[-1]["resumed"]
    assert [path.name for path in metrics.parent.iterdir()] == ["metrics.jsonl"]
