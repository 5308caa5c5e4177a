"""From delivered paths to findings: every file gets a verdict, every record a finding or a reason."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from jobs.findings.files import archive, decode
from jobs.findings.files.archive import Limits
from jobs.findings.merge.merge import merge
from jobs.findings.model.finding import Finding
from jobs.findings.model.refusals import Refused, Skipped
from jobs.findings.model.structs import record
from jobs.findings.scanners import detect
from jobs.findings.scanners.reading import ReportReading, sha256
from jobs.findings.scanners.registry import KNOWN_TOOLS
from jobs.findings.source import checkout
from jobs.fs import files

FileVerdict = Literal["parsed", "parsed_with_warnings", "empty", "refused"]
__all__ = ["FileReport", "Limits", "Parsed", "Skipped", "parse_bytes", "parse_paths"]
_HEAD = 512  # bytes that tell an archive; tar's mark stands at 257
_log = logging.getLogger("sectune.findings")


@record(frozen=True, slots=True)
class FileReport:
    """The fate of one file.

    Attributes:
        path: As given, relative to the given folder, or "archive.zip!member.json".
        sha256: Of the file's (or member's) bytes; "" where they could not be read.
        verdict: parsed, parsed_with_warnings, empty (a report without records) or refused.
        tool: The scanner, "sarif_other" for SARIF of other tools, None where unknown.
        format: json, sarif or xml.
        raw_findings: Records as the tool wrote them, the suppressed and the broken included.
        warnings: What was unusual.
        reason: Why it was refused.
        bytes: Size of the file or member.
    """

    path: str
    sha256: str
    verdict: FileVerdict
    tool: str | None
    format: str | None
    raw_findings: int
    warnings: tuple[str, ...]
    reason: str | None
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """The published shape: path, sha256, verdict, tool, format, raw_findings, warnings, reason."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "verdict": self.verdict,
            "tool": self.tool,
            "format": self.format,
            "raw_findings": self.raw_findings,
            "warnings": list(self.warnings),
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Parsed:
    """A delivery, parsed: each file's fate, the distinct findings, the records left out and why."""

    files: tuple[FileReport, ...]
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...]
    context: checkout.CheckoutCounts | None = None  # only where a checkout was given

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        value = {
            "files": [report.to_json() for report in self.files],
            "distinct_findings": len(self.findings),
            "findings": [finding.to_json() for finding in self.findings],
            "skipped": [
                {"path": entry.path, "pointer": entry.pointer, "reason": entry.reason}
                for entry in self.skipped
            ],
        }
        return value if self.context is None else {**value, "source": asdict(self.context)}


def parse_paths(
    paths: Iterable[Path], limits: Limits, *, root: Path | None = None, source: Path | None = None
) -> Parsed:
    """Parse files, folders and archives; whatever they hold, no exception leaves.

    Args:
        paths: Files and folders; folders are walked in sorted order, links in them are not followed.
        limits: How large files and archives may be.
        root: Where given, paths are shown relative to it.
        source: A checkout of the scanned code; the code around each finding is taken from it.

    Returns:
        Verdicts in the order of the paths; findings in an order of their own that does not depend on it.

    Raises:
        OperatorError: `source` is no folder.
    """
    reports: list[FileReport] = []
    findings: list[Finding] = []
    skipped: list[Skipped] = []
    for path, shown in _walk(paths, root):
        for report, reading in _parse_file(path, shown, limits):
            reports.append(report)
            findings += reading.findings
            skipped += reading.skipped
    merged = merge(findings, KNOWN_TOOLS)
    if source is None:
        return Parsed(tuple(reports), merged, tuple(skipped))
    placed, context = checkout.add_context(merged, source)
    return Parsed(tuple(reports), placed, tuple(skipped), context)


def _walk(paths: Iterable[Path], root: Path | None) -> Iterator[tuple[Path, str]]:
    for given in paths:
        if not given.is_dir():
            yield given, _shown(given, root, str(given))
            continue
        for path in files.files_below(given):
            name = path.relative_to(given).as_posix()
            if not archive.is_litter(name):
                yield path, _shown(path, root, name)


def _shown(path: Path, root: Path | None, otherwise: str) -> str:
    name = otherwise
    if root is not None:
        name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return name.encode("utf-8", "replace").decode("utf-8")  # file names may hold bytes that are no UTF-8


def _parse_file(path: Path, shown: str, limits: Limits) -> Iterator[tuple[FileReport, ReportReading]]:
    try:
        if not path.is_file():
            raise Refused("no such file" if not path.exists() else "not a regular file")
        size = path.stat().st_size
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
        packed = archive.kind_or_none(head)
        allowed = max(limits.max_file_bytes, limits.max_total_bytes) if packed else limits.max_file_bytes
        if size > allowed:
            raise Refused(f"larger than the limit of {allowed} bytes")
        data = path.read_bytes()
    except (Refused, OSError) as error:
        yield _unread(path, shown, error)
        return
    if packed is None:
        yield parse_bytes(data, ReportReading(shown, sha256(data)))
    else:
        yield from _parse_archive(data, shown, path.name, limits)


def _unread(path: Path, shown: str, error: Exception) -> tuple[FileReport, ReportReading]:
    size, digest = 0, ""
    try:
        if path.is_file():
            size, digest = path.stat().st_size, files.sha256_file(path)
    except OSError as unreadable:
        error = unreadable
    reason = f"cannot be read: {error.strerror or error}" if isinstance(error, OSError) else str(error)
    reading = ReportReading(shown, digest)
    return FileReport(shown, digest, "refused", None, None, 0, (), reason, size), reading


def _parse_archive(
    data: bytes, shown: str, name: str, limits: Limits
) -> Iterator[tuple[FileReport, ReportReading]]:
    whole = ReportReading(shown, sha256(data))
    try:
        count = 0
        for member in archive.members(data, name, limits):
            count += 1
            reading = ReportReading(f"{shown}!{member.name}", sha256(member.data), member.name)
            if member.refused:
                yield _report(reading, len(member.data), member.refused), reading
            else:
                yield parse_bytes(member.data, reading)
        if count == 0:
            yield _report(whole, len(data), "the archive holds no files"), whole
    except Refused as refused:
        yield _report(whole, len(data), str(refused)), whole
    except Exception as error:  # the archive libraries may fail in ways of their own: lose it alone
        _log.exception("reading the archive %s failed", shown)
        yield _report(whole, len(data), f"internal error while unpacking: {type(error).__name__}"), whole


def parse_bytes(data: bytes, reading: ReportReading) -> tuple[FileReport, ReportReading]:
    """Read one report that is no archive, into a fresh `Reading`.

    The last resort keeps one bad file from losing its delivery.
    """
    reason: str | None = None
    try:
        archive.kind(data)
        _read(data, reading)
    except Refused as refused:
        reason = str(refused)
    except Exception as error:
        _log.exception("reading %s failed", reading.path)
        reason = f"internal error: {type(error).__name__}: {str(error)[:200]}"
    if reason is not None:
        reading.findings.clear()
        reading.skipped.clear()
    return _report(reading, len(data), reason), reading


def _read(data: bytes, reading: ReportReading) -> None:
    document = decode.open_document(data)
    for warning in document.warnings:
        reading.warn(warning)
    if document.root is not None:
        detect.read_xml(document.root, reading)
    else:
        detect.read_json(document.value, reading)


def _report(reading: ReportReading, size: int, reason: str | None) -> FileReport:
    refused = reason is not None
    return FileReport(
        path=reading.path,
        sha256=reading.sha256,
        verdict=_verdict(reading, refused),
        tool=None if refused else reading.tool,
        format=None if refused else reading.format,
        raw_findings=0 if refused else reading.raw,
        warnings=tuple(reading.warnings),
        reason=reason,
        bytes=size,
    )


def _verdict(reading: ReportReading, refused: bool) -> FileVerdict:
    if refused:
        return "refused"
    if reading.raw == 0:
        return "empty"
    return "parsed_with_warnings" if reading.warnings else "parsed"
