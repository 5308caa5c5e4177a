"""Notice that the machine slept."""

from __future__ import annotations

import time
from collections.abc import Callable

SLEPT_SECONDS = 20.0  # the clock on the wall ran on this much longer than the machine


class Clocks:
    """Notices that the machine slept: the wall's clock went on, its own did not."""

    def __init__(
        self, wall: Callable[[], float] = time.time, running: Callable[[], float] = time.monotonic
    ) -> None:
        self._wall, self._running = wall, running
        self._before = (wall(), running())

    def slept(self) -> float | None:
        """Seconds it slept since the last look; None if it did not."""
        now = (self._wall(), self._running())
        gap = (now[0] - self._before[0]) - (now[1] - self._before[1])
        self._before = now
        return gap if gap > SLEPT_SECONDS else None
