"""Why a file or a record gives no finding."""

from __future__ import annotations

from jobs.findings.model.structs import record


class Refused(Exception):
    """The file is not a report we read; the message is the reason to show."""


class Left(Exception):
    """The record is no finding (suppressed, passed, withdrawn); the message is the reason to count."""


@record(frozen=True, slots=True)
class Skipped:
    """A record that gave no finding: which file, a JSON pointer (or XPath) into it, and why."""

    path: str
    pointer: str
    reason: str
