"""The time as every record of ours writes it."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """The present time in UTC with milliseconds, as every timestamp of a manifest is written."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
