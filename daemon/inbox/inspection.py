"""Look into one settled file: is it a report, and is anything in it new?"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.inbox import reasons
from daemon.inbox.entry import Facts, Stamp, stamp_of
from daemon.inbox.file_state import FileState
from daemon.inbox.ledger import Ledger
from jobs.fs import files, free_space

if TYPE_CHECKING:  # the parsers are 8 MB; an idle daemon has nothing to parse
    from config.settings import Settings
    from jobs.findings.model.finding import Finding


@dataclass(frozen=True)
class Arrival:
    """A settled file: where it is, its name in the delivery, what it looked like, its delivery if fixed."""

    path: Path
    name: Path
    stamp: Stamp
    delivery: str | None


@dataclass(frozen=True)
class Fate:
    """What became of a settled file: its state, the reason in words a person can act on, what was found."""

    state: FileState
    reason: str
    facts: Facts = field(default_factory=Facts)


class Inspection:
    """Judges files, one at a time.

    Args:
        settings: How large a file may be, how it is parsed, how much room stays free.
        ledger: Knows what was taken before.
        staging: Gets a folder with a copy of each file that is accepted.
    """

    def __init__(self, settings: Settings, ledger: Ledger, staging: Path) -> None:
        self.settings = settings
        self.ledger = ledger
        self.staging = staging

    def judge(self, arrival: Arrival, force: bool) -> Fate:
        """Look into a file; what is accepted lies in the staging folder afterwards.

        Args:
            arrival: The file.
            force: Take it even if its content was seen before.

        Raises:
            OSError: We or the machine could not read it, which is not the file's fault.
        """
        inbox = self.settings.inbox
        largest = max(inbox.max_file_bytes, inbox.max_archive_bytes)
        if not stat.S_ISREG(arrival.path.lstat().st_mode):
            reason = "a link or special file, which is not followed; copy the file itself here"
            return Fate(FileState.REFUSED, reason)
        if arrival.stamp.size > largest:
            limits = "inbox.max_file_bytes and inbox.max_archive_bytes"
            reason = f"has {arrival.stamp.size} bytes, more than {limits} allow ({largest})"
            return Fate(FileState.REFUSED, reason)
        folder = files.private_folder(self.staging / uuid.uuid4().hex)
        try:
            fate = self._read(arrival, folder, force)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if fate.state is not FileState.ACCEPTED:
            shutil.rmtree(folder)
        return fate

    def _read(self, arrival: Arrival, folder: Path, force: bool) -> Fate:
        need_room(self.settings, folder, arrival.stamp.size)
        # The original is read once; everything after works on this copy, so it cannot change under us.
        staged = folder / arrival.name
        files.private_folder(staged.parent)
        _copy(arrival.path, staged)
        if stamp_of(arrival.path) != arrival.stamp:
            raise OSError(errno.EAGAIN, "it changed while it was read")
        sha256 = files.sha256_file(staged)
        before = self.ledger.with_content(sha256)
        if before is not None and not force:
            return Fate(FileState.DUPLICATE, reasons.duplicate(before), {"sha256": sha256})
        return self._parse(staged, folder, sha256, force)

    def _parse(self, staged: Path, folder: Path, sha256: str, force: bool) -> Fate:
        from jobs.findings.files.limits import limits_of
        from jobs.findings.parse import parse_paths

        # For the verdict at once, and to know what is new. The run's parse step reads the delivery again: as
        # a whole, with the code around each finding, and with the settings that the run then has.
        parsed = parse_paths([staged], limits_of(self.settings), root=folder)
        facts: Facts = {
            "sha256": sha256,
            "tool": reasons.tools(parsed.files),
            "findings": len(parsed.findings),
            "members": [report.to_json() for report in parsed.files],
        }
        if all(report.verdict == "refused" for report in parsed.files):
            return Fate(FileState.REFUSED, reasons.refusal(parsed.files), facts)
        if not parsed.findings:
            return Fate(FileState.NOTHING, "a report without findings", facts)
        known = [_known_as(finding) for finding in parsed.findings]
        if not force and self.ledger.findings.count_unseen(known) == 0:
            reason = f"no new finding: all {len(known)} are in earlier runs"
            return Fate(FileState.DUPLICATE, reason, facts)
        files.fsync_below(folder)  # only what is kept: a storm is mostly of what is not
        self.ledger.findings.remember(sha256, known)
        return Fate(FileState.ACCEPTED, reasons.acceptance(parsed.files), {**facts, "staged": folder.name})


def need_room(settings: Settings, folder: Path, count: int) -> None:
    """See to it that a copy leaves as much room as is to stay free.

    Args:
        settings: How much that is.
        folder: Where the copy goes.
        count: Its bytes.

    Raises:
        OSError: No space, before anything is written.
    """
    reserve = settings.disk.reserve_mb * 1_000_000
    if short := free_space.shortage("a copy", {folder: count}, reserve):
        raise OSError(errno.ENOSPC, str(short))


def _copy(source: Path, target: Path) -> None:
    # Opened without following a link: what was looked at may have been exchanged since.
    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as reading, target.open("xb") as writing:
        shutil.copyfileobj(reading, writing, files.CHUNK)


def _known_as(finding: Finding) -> str:
    # A fix that was not there before makes an old finding worth learning from.
    return f"{finding.fingerprint} {finding.fix.provenance}"
