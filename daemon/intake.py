"""Turn dropped files into a queued run, or refuse each with a reason.

The order of writes makes a crash harmless: content is staged before it is accepted, a delivery is
named in the ledger before its run is made, and the run carries that name.
"""

from __future__ import annotations

import errno
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from config.settings import Settings
from daemon.ledger import Entry, Ledger, Stamp
from jobs import files
from jobs.chain import STEP_NAMES
from jobs.findings.limits import limits_of
from jobs.findings.parse import FileReport, parse_paths
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import Input, Verdict
from jobs.runs.store import Delivery, Run, RunStore

log = structlog.get_logger("sectune.intake")
ORPHAN_SECONDS = 3600
REMEDIES = {
    errno.ENOSPC: "the disk is full",
    errno.EACCES: "no permission to read it",
    errno.EPERM: "the system forbids reading it (on macOS: grant access, or use another folder)",
}


def stamp_of(path: Path) -> Stamp:
    """What a regular file looks like now, without following a link.

    Raises:
        OSError: It is not there, or not to be seen.
    """
    status = path.lstat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True)
class Arrival:
    """A settled file: where it is, its name in the delivery, what it looked like, its delivery if fixed."""

    path: Path
    name: Path
    stamp: Stamp
    delivery: str | None


@dataclass(frozen=True)
class Desk:
    """What the intake works with.

    Args:
        settings: With which new runs are made.
        ledger: The inbox ledger.
        store: The runs.
        staging: Where accepted content waits for its delivery to close.
        ring: Tells the queue about a new run.
    """

    settings: Settings
    ledger: Ledger
    store: RunStore
    staging: Path
    ring: Callable[[str], object]


class Intake:
    """Receives settled files and closes deliveries."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        files.private_folder(desk.staging)

    def receive(self, path: Path, root: Path, delivery: str | None = None, force: bool = False) -> str:
        """Read one settled file and record its fate.

        Args:
            path: The file.
            root: The folder its name is relative to.
            delivery: The delivery it belongs to; None for the open one of the inbox.
            force: Take it even if its content was seen before.

        Returns:
            The state it is in now.
        """
        try:
            stamp = stamp_of(path)
        except FileNotFoundError:
            self.desk.ledger.mark_gone(str(path))
            return "gone"
        arrival = Arrival(path, path.relative_to(root), stamp, delivery)
        try:
            state, reason, facts = self._judge(arrival, force)
        except OSError as error:  # ours or the machine's fault, not the file's: tried again later
            why = REMEDIES.get(error.errno or 0, error.strerror or str(error))
            state, reason, facts = "failed", f"{why}; will be tried again", {}
        self.desk.ledger.note(path, stamp, state, reason, delivery=delivery, **facts)
        log.info(f"file {state}", path=str(path), reason=reason)
        return state

    def _judge(self, arrival: Arrival, force: bool) -> tuple[str, str, dict[str, Any]]:
        inbox = self.desk.settings.inbox
        largest = max(inbox.max_file_bytes, inbox.max_archive_bytes)
        if arrival.stamp.size > largest:
            sha256 = files.sha256_file(arrival.path)
            reason = f"has {arrival.stamp.size} bytes, more than inbox.max_archive_bytes allows ({largest})"
            return "refused", reason, {"sha256": sha256}
        folder = files.private_folder(self.desk.staging / uuid.uuid4().hex)
        try:
            state, reason, facts = self._read(arrival, folder, force)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if state != "accepted":
            shutil.rmtree(folder)
        return state, reason, facts

    def _read(self, arrival: Arrival, folder: Path, force: bool) -> tuple[str, str, dict[str, Any]]:
        # The original is read once; everything after works on this copy, so it cannot change under us.
        staged = folder / arrival.name
        files.private_folder(staged.parent)
        shutil.copyfile(arrival.path, staged, follow_symlinks=False)
        sha256 = files.sha256_file(staged)
        before = self.desk.ledger.with_content(sha256)
        if before is not None and not force:
            return "duplicate", _seen(before), {"sha256": sha256}
        parsed = parse_paths([staged], limits_of(self.desk.settings), root=folder)
        facts = {
            "sha256": sha256,
            "tool": _tools(parsed.files),
            "findings": len(parsed.findings),
            "members": [report.to_json() for report in parsed.files],
        }
        if all(report.verdict == "refused" for report in parsed.files):
            return "refused", _refusal(parsed.files), facts
        if not parsed.findings:
            return "nothing", "a report without findings", facts
        return "accepted", _acceptance(parsed.files), {**facts, "staged": folder.name}

    def close(self) -> Run | None:
        """Close the inbox's open delivery; None if it holds nothing to train on."""
        accepted = self.desk.ledger.open_delivery()
        bystanders = self.desk.ledger.refused_since_last_delivery()
        delivery = uuid.uuid4().hex
        self.desk.ledger.assign([entry.id for entry in (*accepted, *bystanders)], delivery)
        return self.make_run(delivery)

    def recover(self) -> list[Run]:
        """Finish what a dead daemon left: closed deliveries without a run, staged files without an entry."""
        runs = [run for delivery in self.desk.ledger.closing_deliveries() if (run := self.make_run(delivery))]
        needed = self.desk.ledger.staged_folders()
        for folder in self.desk.staging.iterdir():
            # A submit of another process may be staging right now; an hour is more than it needs.
            if folder.name not in needed and time.time() - folder.stat().st_mtime > ORPHAN_SECONDS:
                shutil.rmtree(folder)
        return runs

    def make_run(self, delivery: str) -> Run | None:
        """Make (or find) the run of a closed delivery and ring for it; None if nothing was accepted."""
        entries = self.desk.ledger.of_delivery(delivery)
        accepted = [entry for entry in entries if entry.state == "accepted"]
        if not accepted:
            return None
        run = self.desk.store.of_delivery(delivery) or self._create(delivery, entries)
        self.desk.ledger.move([entry.id for entry in accepted], "queued", f"in run {run.run_id}", run.run_id)
        for entry in accepted:
            shutil.rmtree(self.desk.staging / str(entry.staged), ignore_errors=True)
        self.desk.ring(run.run_id)
        log.info("run queued", run=run.run_id, files=len(accepted))
        return run

    def _create(self, delivery: str, entries: Sequence[Entry]) -> Run:
        accepted = [entry for entry in entries if entry.state == "accepted"]
        inputs = [_input(entry, self._staged(entry)[1]) for entry in accepted]
        inputs += [_input(entry, Path(entry.path).name) for entry in entries if entry.state != "accepted"]

        def fill(folder: RunFolder) -> None:
            for entry in accepted:
                source, name = self._staged(entry)
                target = folder.report(str(entry.sha256), name)
                files.private_folder(target.parent)
                shutil.copyfile(source, target)

        run = self.desk.store.create(self.desk.settings, Delivery(delivery, tuple(inputs)), STEP_NAMES, fill)
        run.event("created", delivery=delivery, files=len(accepted))
        return run

    def _staged(self, entry: Entry) -> tuple[Path, str]:
        folder = self.desk.staging / str(entry.staged)
        (source,) = files.files_below(folder)
        return source, source.relative_to(folder).as_posix()


def _seen(before: Entry) -> str:
    where = f"run {before.run_id}" if before.run_id else "the open delivery"
    return f"same content as {Path(before.path).name} in {where}"


def _tools(reports: Sequence[FileReport]) -> str | None:
    return ", ".join(sorted({report.tool for report in reports if report.tool})) or None


def _refusal(reports: Sequence[FileReport]) -> str:
    if not reports:
        return "an archive without files"
    if len(reports) == 1:
        return reports[0].reason or "not a report"
    return f"none of its {len(reports)} members is a report: {reports[0].path}: {reports[0].reason}"


def _acceptance(reports: Sequence[FileReport]) -> str:
    good = sum(report.verdict != "refused" for report in reports)
    return "waits for its delivery to close" + (
        f"; {good} of {len(reports)} members are reports" if len(reports) > 1 else ""
    )


def _input(entry: Entry, name: str) -> Input:
    verdicts: dict[str, Verdict] = {"refused": "refused", "nothing": "empty"}
    return Input(
        name=name,
        sha256=str(entry.sha256),
        tool=entry.tool,
        verdict=verdicts.get(entry.state, "received"),
        findings=entry.findings,
        reason=None if entry.state == "accepted" else entry.reason,
    )
