"""A lock's holder is written and read by one type."""

from __future__ import annotations

import pytest

from jobs.fs.locks import Holder


@pytest.mark.parametrize(
    ("line", "pid", "words"),
    [
        ("pid 12 run-1 train_1", 12, ("run-1", "train_1")),
        ("pid 4711 sectune 0.1.0", 4711, ("sectune", "0.1.0")),
        ("pid 7", 7, ()),
        ("pid 4711, which was killed", None, ("pid", "4711,", "which", "was", "killed")),
        ("the daemon, writing a request", None, ("the", "daemon,", "writing", "a", "request")),
        ("2", None, ("2",)),
        ("", None, ()),
    ],
)
def test_a_line_is_read_and_written_again(line: str, pid: int | None, words: tuple[str, ...]) -> None:
    holder = Holder.parse(line)
    assert (holder.pid, holder.words) == (pid, words)
    assert str(holder) == line
