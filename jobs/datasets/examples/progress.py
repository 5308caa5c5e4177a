"""How far a build is: whom it tells, and how often."""

from __future__ import annotations

from collections.abc import Callable

# report(phase, done, total): total is None where it is not known.
Report = Callable[[str, int, "int | None"], None]
EVERY = 100  # rows, examples or findings from one telling to the next
