"""Which files have not changed for long enough to be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from daemon.inbox.entry import Stamp


@dataclass
class _Watch:
    stamp: Stamp
    waiting: bool
    since: float


class Settling:
    """Pure bookkeeping: which files have not changed for long enough. Knows no file system.

    Args:
        stable_seconds: How long is long enough.
    """

    def __init__(self, stable_seconds: float) -> None:
        self.stable_seconds = stable_seconds
        self.last_change = float("-inf")
        self._watched: dict[Path, _Watch] = {}

    def observe(self, path: Path, stamp: Stamp, moment: float, waiting: bool = False) -> bool:
        """Note what a file looks like at `moment` (seconds, monotonic); True once it has settled.

        A file that waits for something else (its download) never settles, however long it is still.
        """
        watch = self._watched.get(path)
        if watch is None or (watch.stamp, watch.waiting) != (stamp, waiting):
            watch = self._watched[path] = _Watch(stamp, waiting, moment)
            self.last_change = moment
        return not waiting and moment - watch.since >= self.stable_seconds

    def forget(self, path: Path) -> None:
        """Stop watching a file."""
        self._watched.pop(path, None)

    def keep_only(self, present: set[Path]) -> None:
        """Stop watching what is no longer there."""
        for path in [path for path in self._watched if path not in present]:
            self.forget(path)

    @property
    def busy(self) -> bool:
        """Whether anything will settle by itself; a download that was broken off holds nobody up."""
        return any(not watch.waiting for watch in self._watched.values())
