"""The command `logs`: show and follow, across rotation and restarts, to the run's final state."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon.cli import screen
from daemon.cli.world import FAILED, NEEDS_ATTENTION, OK, World
from jobs.runs.manifest import UNFINISHED
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
    path = world.run_log(run.run_id) if run else world.state / "logs" / "daemon.log"
    if not path.exists() and not view.follow:
        screen.note(f"There is no log yet: {path}")
        return OK
    source = (
        follow(path, view.lines, lambda: _ended(run)) if view.follow else iter(last_lines(path, view.lines))
    )
    write = (lambda line: line) if view.json else _readable()
    try:
        for line in source:
            sys.stdout.write(write(line).rstrip("\n") + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:
        return OK
    return _verdict(run) if run and view.follow else OK


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log; from the rotated file before it, too, where the new one is short."""
    older = path.with_name(f"{path.name}.1")
    kept: deque[str] = deque(maxlen=count)
    for file in (older, path):
        if file.exists():
            with file.open(encoding="utf-8", errors="replace") as stream:
                kept.extend(stream)
    return list(kept)


def follow(path: Path, lines: int, ended: Callable[[], bool]) -> Iterator[str]:
    """Yield the last lines, then new ones as they come; a rotated file is read to its end first.

    Args:
        path: The log.
        lines: How many old lines to begin with.
        ended: Asked when nothing new has come; True ends the following.
    """
    yield from last_lines(path, lines)
    stream = path.open(encoding="utf-8", errors="replace") if path.exists() else None
    if stream:
        stream.seek(0, 2)
    rest = ""
    while True:
        done = ended()  # asked before reading, so that the last lines are not missed
        chunk = stream.read() if stream else ""
        *complete, rest = (rest + chunk).split("\n")
        yield from complete
        if not chunk and done:
            return
        if not chunk:
            if _replaced(path, stream.fileno() if stream else None):
                if stream:
                    stream.close()
                stream, rest = path.open(encoding="utf-8", errors="replace"), ""
                continue
            time.sleep(POLL_SECONDS)


def _replaced(path: Path, fd: int | None) -> bool:
    import os

    try:
        present = path.stat()
    except FileNotFoundError:
        return False
    return fd is None or os.fstat(fd).st_ino != present.st_ino


def _readable() -> Callable[[str], str]:
    from daemon.log import readable

    return readable


def _ended(run: Run | None) -> bool:
    if run is None:
        return False
    run.reload()
    return run.manifest.status not in UNFINISHED


def _verdict(run: Run) -> int:
    manifest = run.manifest
    screen.note(
        f"{run.run_id}: {manifest.status}" + (f": {manifest.status_reason}" if manifest.status_reason else "")
    )
    codes = {"completed": OK, "needs_attention": NEEDS_ATTENTION}
    return codes.get(manifest.status, FAILED)
