"""Read a log's last lines and follow what is added, across its rotation."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

POLL_SECONDS = 0.3


def last_lines(path: Path, count: int) -> list[str]:
    """The last complete lines of a log; from the rotated file before it, too, where the new one is short."""
    lines, tail = _begin(path, count)
    tail.close()
    return lines


def follow(path: Path, lines: int, ended: Callable[[], bool]) -> Iterator[str]:
    """Yield the last lines, then new ones as they come; a rotated file is read to its end first.

    Args:
        path: The log.
        lines: How many old lines to begin with.
        ended: Asked when nothing new has come; once it is True, one more look ends the following, since
            a run's last line is written just after its state.
    """
    old, tail = _begin(path, lines)
    yield from old
    last_look = False
    while True:
        if fresh := tail.lines():
            yield from fresh
        elif last_look:
            tail.close()
            return
        else:
            last_look = ended()
            time.sleep(POLL_SECONDS)


class _Tail:
    """The complete lines that were added to a log since the last look, across its rotation."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: BinaryIO | None = None
        self._rest = b""

    def lines(self) -> list[str]:
        if self._stream is None:
            self._open()
        found = self._read()
        if self._is_replaced():
            found += self._read()  # what was still written between the look and the rename
            self.close()
            self._open()
            found += self._read()
        return found

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream, self._rest = None, b""

    def _open(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._stream = self.path.open("rb")

    def _read(self) -> list[str]:
        if self._stream is None:
            return []
        *complete, self._rest = (self._rest + self._stream.read()).split(b"\n")
        return [line.decode("utf-8", "replace") for line in complete]

    def _is_replaced(self) -> bool:
        try:
            present = self.path.stat()
        except FileNotFoundError:
            return False
        return self._stream is not None and os.fstat(self._stream.fileno()).st_ino != present.st_ino


def _begin(path: Path, count: int) -> tuple[list[str], _Tail]:
    tail = _Tail(path)
    newest = tail.lines()
    older = path.with_name(f"{path.name}.1")
    kept: deque[str] = deque(maxlen=max(0, count))
    if len(newest) < count and older.exists():
        before = _Tail(older)
        kept.extend(before.lines())
        before.close()
    kept.extend(newest)
    return list(kept), tail
