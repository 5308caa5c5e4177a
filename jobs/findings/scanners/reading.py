"""What reading one report collects, and what a scanner has to offer to be asked.

A scanner's file makes one `Scanner`; `scanners.py` lists it in its table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from jobs.findings.model.finding import Finding, Occurrence
from jobs.findings.model.structs import complete, record

if TYPE_CHECKING:
    from jobs.findings.scanners.sarif import Result

# What a record of the wrong shape can raise in code that reads it; anything else is a bug of ours.
RECORD_ERRORS = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


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


@dataclass(slots=True)
class Reading:
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
        if not isinstance(value, list):
            self.skip(pointer, f"a list was expected, not {type(value).__name__}")
            self.warn("some records could not be read")
            return
        for number, entry in enumerate(value):
            yield f"{pointer}/{number}", entry


@dataclass(frozen=True, slots=True)
class Scanner:
    """How one scanner's reports are recognised and read; what a scanner has not is left out.

    Attributes:
        name: The tool's name in findings and verdicts.
        is_json: Whether a JSON document (not SARIF) is this tool's.
        read_json: Read such a document into the `Reading`.
        is_driver: Whether a SARIF driver's name is this tool's.
        from_sarif: A finding out of one SARIF result; raises `Left` where it is none.
        is_xml: Whether an XML root element is this tool's.
        read_xml: Read such a root into the `Reading`.
    """

    name: str
    is_json: Callable[[Any], bool]
    read_json: Callable[[Any, Reading], None]
    is_driver: Callable[[str], bool] = lambda name: False
    from_sarif: Callable[[Result], Finding] | None = None
    is_xml: Callable[[Element], bool] = lambda root: False
    read_xml: Callable[[Element, Reading], None] | None = None


def sha256(data: bytes) -> str:
    """SHA-256 of bytes, as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()
