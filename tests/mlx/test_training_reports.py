from __future__ import annotations

from pathlib import Path

from jobs import files
from jobs.child import Assignment
from jobs.mlx.checkpoint import Position
from jobs.mlx.reports import Reports


def test_going_back_forgets_what_is_done_again_and_what_a_killed_trainer_was_writing(tmp_path: Path) -> None:
    metrics = tmp_path / "stage1" / "metrics.jsonl"
    metrics.parent.mkdir()
    for iteration in range(1, 8):
        files.append_jsonl(metrics, {"iteration": iteration, "train_loss": 1.0})
    for cut in (files.temporary_beside(metrics), files.temporary_beside(metrics)):
        cut.write_text("half")
    assignment = Assignment(tmp_path, {}, tmp_path / "run.log", {})
    Reports(assignment, metrics, (5, 9), 1).go_back(Position(5))
    rows = list(files.read_jsonl(metrics))
    assert [row["iteration"] for row in rows] == [1, 2, 3, 4, 5, 5]
    assert rows[-1]["resumed"]
    assert [path.name for path in metrics.parent.iterdir()] == ["metrics.jsonl"]
