"""One check's outcome: what was seen, why it matters, how to mend it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from config.load import Loaded


@dataclass(frozen=True)
class CheckResult:
    """One check's outcome.

    Args:
        id: Its name, which does not change between versions.
        passed: Whether all is well.
        seen: What was seen.
        why: What goes wrong if it is not mended.
        fix: What to type or to change, exactly.
    """

    id: str
    passed: bool
    seen: str
    why: str
    fix: str

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return asdict(self)


Look = Callable[[Loaded, Path], CheckResult]
Checks = tuple[Look, ...]
