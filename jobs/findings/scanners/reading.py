"""What reading one report collects: its findings, the records left out and why, its warnings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from jobs.findings.model import coerce
from jobs.findings.model.finding import Finding, Occurrence
from jobs.findings.model.refusals import Left, Skipped
from jobs.findings.model.structs import complete

# What a record of the wrong shape can raise in code that reads it; anything else is a bug of ours.
RECORD_ERRORS = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


@dataclass(slots=True)
class ReportReading:
    """The findings, skipped records and warnings of one file, while it is read.

    `raw` counts the records as the tool wrote them, the suppressed and the broken included.
    """

    path: str
    sha256: str
    member: str | None = None
    tool: str | None = None
    format: str | None = None
    raw: int = 0
    findings: list[Finding] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def warn(self, message: str) -> None:
        """Note a warning about the file once."""
        if message not in self.warnings:
            self.warnings.append(message)

    def record(self, pointer: str, build: Callable[..., Finding], *arguments: Any) -> None:
        """Count one record; keep the finding that `build(*arguments)` makes, or the reason why none."""
        self.raw += 1
        try:
            found = build(*arguments)
        except Left as left:
            self.skip(pointer, str(left))
        except RECORD_ERRORS as error:
            self.skip(pointer, f"unreadable record: {type(error).__name__}: {str(error)[:200]}")
            self.warn("some records could not be read")
        else:
            # Just built, nobody else holds it: a frozen copy would cost a tenth of the whole reading.
            complete(found, "occurrences", (Occurrence(self.sha256, self.member, pointer),))
            self.findings.append(found)

    def skip(self, pointer: str, reason: str) -> None:
        """Note a record that gives no finding."""
        self.skipped.append(Skipped(self.path, pointer, reason))

    def entries(self, value: object, pointer: str) -> Iterable[tuple[str, Any]]:
        """Each entry of a list with its pointer; something else in a list's place is noted, null is not."""
        if value is None:
            return
        if not coerce.is_list(value):
            self.skip(pointer, f"a list was expected, not {type(value).__name__}")
            self.warn("some records could not be read")
            return
        for number, entry in enumerate(value):
            yield f"{pointer}/{number}", entry


def sha256(data: bytes) -> str:
    """SHA-256 of bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()
