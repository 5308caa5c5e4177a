"""What the intake says of a file: the reasons that a person reads, and its line in the manifest."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.inbox.entry import Entry
from daemon.inbox.file_state import FileState

if TYPE_CHECKING:
    from jobs.findings.parse import FileReport
    from jobs.runs.manifest import Input, Verdict

REMEDIES = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission to read it",
    errno.EPERM: "the system forbids reading it (on macOS: grant access, or use another folder)",
}


def in_words(error: OSError) -> str:
    """What is wrong with the machine, for the reason that a person reads."""
    plain = error.errno is None or error.strerror == os.strerror(error.errno)
    said = error.strerror or str(error)
    known = REMEDIES.get(error.errno or 0)
    if known is None:
        return said
    return known if plain else f"{known}: {said}"


def duplicate(before: Entry) -> str:
    """Why the same content is not read again."""
    where = f"in run {before.run_id}" if before.run_id else "which was already received"
    return f"same content as {Path(before.path).name}, {where}"


def tools(reports: Sequence[FileReport]) -> str | None:
    """Whose reports they are."""
    return ", ".join(sorted({report.tool for report in reports if report.tool})) or None


def refusal(reports: Sequence[FileReport]) -> str:
    """Why nothing of a file can be used."""
    if not reports:
        return "an archive without files"
    if len(reports) == 1:
        return reports[0].reason or "not a report"
    return f"none of its {len(reports)} members is a report: {reports[0].path}: {reports[0].reason}"


def acceptance(reports: Sequence[FileReport]) -> str:
    """What an accepted file waits for."""
    good = sum(report.verdict != "refused" for report in reports)
    return "waits for its delivery to close" + (
        f"; {good} of {len(reports)} members are reports" if len(reports) > 1 else ""
    )


def as_input(entry: Entry, name: str) -> Input:
    """A file's line in the manifest of its run."""
    from jobs.runs.manifest import Input

    verdicts: dict[FileState, Verdict] = {FileState.ACCEPTED: "received", FileState.NOTHING: "empty"}
    return Input(
        name=name,
        sha256=entry.sha256,
        tool=entry.tool,
        verdict=verdicts.get(entry.state, "refused"),
        findings=entry.findings,
        reason=None if entry.state is FileState.ACCEPTED else entry.reason,
    )
