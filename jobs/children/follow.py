"""Following a child: what it reports while it works, and when it is over."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jobs.children import protocol
from jobs.children.outcome import Outcome, State, outcome_of
from jobs.children.task import Task
from jobs.errors import Stopped

POLL_SECONDS = 0.25


def follow(
    task: Task, on_progress: Callable[[dict[str, Any]], None], stopping: Callable[[], bool]
) -> Outcome:
    """Pass on what a child reports until nobody works on the task any more.

    Args:
        task: What it does.
        on_progress: Told the newest of each number, a few times a second at most.
        stopping: Asked before each look; what it raises is passed on.

    Raises:
        Stopped: The daemon stops; the child goes on.
    """
    tail = Tail(task.work / protocol.PROGRESS)
    while (seen := outcome_of(task.work, task.key)).state is State.RUNNING:
        if stopping():
            raise Stopped
        if rows := tail.rows():
            on_progress(merge(rows))
        time.sleep(POLL_SECONDS)
    if rows := tail.rows():
        on_progress(merge(rows))
    return seen


def merge(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The newest of each number: between two looks several reports may have come."""
    merged: dict[str, Any] = {}
    for row in rows:
        merged.update(row)
    return merged


class Tail:
    """Reads the complete lines that were added to a JSONL file since the last look.

    Args:
        path: The file; it may not be there yet.
        most: Begin so many bytes before its present end, at the next whole line; None begins at its start.
    """

    def __init__(self, path: Path, most: int | None = None) -> None:
        self.path = path
        self._offset = 0 if most is None else _last(path, most)

    def rows(self) -> list[dict[str, Any]]:
        """The new rows; an empty list if there are none, or no file yet."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [row for line in complete.splitlines() if (row := _row(line)) is not None]


def _last(path: Path, most: int) -> int:
    """Where the first line begins that lies wholly within the file's last `most` bytes."""
    try:
        with path.open("rb") as stream:
            start = max(0, stream.seek(0, 2) - most)
            if start == 0:
                return 0
            stream.seek(start - 1)
            stream.readline()
            return stream.tell()
    except FileNotFoundError:
        return 0


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:  # torn by a full disk; a report less about the work is no reason to stop the work
        return None
    return row if isinstance(row, dict) else None
