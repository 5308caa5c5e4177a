"""A fix rule: what a scanner's check requires of the code, in words, and the edit that makes it so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FixRule:
    """The true fix of one check.

    Args:
        required: What the code must say afterwards; it stands in the prompt, so that the answer is
            determined.
        tag: The language tag of the code it applies to.
        apply: (code, the finding's resource) -> the fixed code, or None where this code does not allow it.
    """

    required: str
    tag: str
    apply: Callable[[str, str], str | None]
