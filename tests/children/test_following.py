"""Following a child: its progress and its log arrive, whatever state their files are in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.children import parent
from jobs.children.follow import Tail
from jobs.children.task import Task
from jobs.fs import files

Tasks = Callable[..., Task]


def test_a_result_its_progress_and_its_log_arrive(task: Tasks) -> None:
    seen: list[dict[str, Any]] = []
    asked = task()
    assert parent.drive(asked, seen.append, lambda: False) == {"answer": 42}
    assert {key: value for facts in seen for key, value in facts.items()} == {
        "phase": "waiting",
        "iteration": 2,
        "train_loss": 0.5,
    }
    (line,) = files.read_jsonl(asked.log)
    assert (line["event"], line["run"], line["step"], line["level"]) == ("at work", "r1", "s1", "info")


@pytest.mark.parametrize(
    ("most", "seen"), [(1000, [1, 2, 3]), (32, [2, 3]), (31, [3]), (16, [3]), (15, []), (0, [])]
)
def test_only_the_last_whole_lines_of_a_long_file_are_read(
    tmp_path: Path, most: int, seen: list[int]
) -> None:
    path = tmp_path / "progress.jsonl"
    assert Tail(path, most).rows() == []  # not there yet
    path.write_text('{"iteration":1}\n{"iteration":2}\n{"iteration":3}\n')  # 16 bytes each
    tail = Tail(path, most)
    assert [row["iteration"] for row in tail.rows()] == seen
    with path.open("a") as stream:
        stream.write('{"iteration":4}\n')
    assert [row["iteration"] for row in tail.rows()] == [4]


def test_torn_and_foreign_progress_lines_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    tail = Tail(path)
    assert tail.rows() == []
    path.write_bytes(b'{"iteration": 1}\n{"itera{"iteration": 2}\n[3]\n{"iteration": 4')
    assert tail.rows() == [{"iteration": 1}]
    with path.open("ab") as stream:
        stream.write(b"}\n")
    assert tail.rows() == [{"iteration": 4}]
    assert tail.rows() == []
