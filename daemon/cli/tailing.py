"""The command `logs`: show and follow, across rotation and restarts, to the run's final state."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from daemon import terminal
from daemon.cli.world import World
from daemon.exit_codes import FAILED, NEEDS_ATTENTION, OK
from daemon.readable import printable, readable
from jobs.runs.status import UNFINISHED
from jobs.runs.store import Run

POLL_SECONDS = 0.3


@dataclass(frozen=True)
class View:
    """How a log is to be shown."""

    follow: bool
    lines: int
    json: bool


def logs(world: World, run_id: str | None, view: View) -> int:
    """Show a log; with `follow`, the exit code says how the run ended."""
    run = world.store.open(run_id) if run_id else None
    path = world.files.run_log(run.run_id) if run else world.files.daemon_log
    if not path.exists():
        terminal.note(f"There is no log yet: {path}")
        if not view.follow:
            return OK
    if view.follow and world.daemon() is None and not _is_over(run):
        terminal.note("The daemon is not running, so nothing new will come; start it with: sectune run")
    source = (
        follow(path, view.lines, lambda: _ended(run)) if view.follow else iter(last_lines(path, view.lines))
    )
    write = (lambda line: line) if view.json else _readable(run)
    try:
        for line in source:
            sys.stdout.write(write(line).rstrip("\n") + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:  # the way out of following; the run goes on
        return OK
    return _verdict(run) if run and view.follow else OK


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


def _readable(run: Run | None) -> Callable[[str], str]:
    hidden = ("logger", "pid", "run") if run else ("logger", "pid")
    return lambda line: printable(readable(line, hidden))


def _ended(run: Run | None) -> bool:
    if run is not None:
        run.reload()
    return _is_over(run)


def _is_over(run: Run | None) -> bool:
    return run is not None and run.manifest.status not in UNFINISHED


def _verdict(run: Run) -> int:
    manifest = run.manifest
    terminal.note(
        f"{run.run_id}: {manifest.status}" + (f": {manifest.status_reason}" if manifest.status_reason else "")
    )
    codes = {"completed": OK, "needs_attention": NEEDS_ATTENTION}
    return codes.get(manifest.status, FAILED)
