"""Turn dropped files into a queued run, or refuse each with a reason.

The order of writes makes a crash harmless: content is staged before it is accepted, a delivery is
named in the ledger before its run is made, and the run carries that name.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from config.snapshot import whole
from daemon.inbox import reasons
from daemon.inbox.ledger import INBOX, Entry, Ledger, Stamp, shown
from daemon.inbox.reasons import in_words
from jobs.fs import files, free_space
from jobs.runs.delivery import Delivery
from jobs.runs.folder import RunFolder
from jobs.runs.store import Run, RunStore

if TYPE_CHECKING:  # the parsers are 8 MB; an idle daemon has nothing to parse
    from config.settings import Settings
    from jobs.findings.model.finding import Finding

log = structlog.get_logger("sectune.intake")
LOCK_POLL_SECONDS = 0.1


def stamp_of(path: Path) -> Stamp:
    """What a file looks like now, without following a link.

    Raises:
        OSError: It is not there, or not to be seen.
    """
    status = path.lstat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


def prepare() -> None:
    """Import what reads reports and makes runs of them."""


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
            self.desk.ledger.mark_gone(path)
            return "gone"
        arrival = Arrival(path, Path(shown(path.relative_to(root))), stamp, delivery)
        try:
            state, reason, facts = self._judge(arrival, force)
        except OSError as error:  # ours or the machine's fault, not the file's
            again = "will be tried again" if delivery is None else "submit it again once that is mended"
            state, reason, facts = "failed", f"{in_words(error)}; {again}", {}
        origin = delivery or INBOX
        self.desk.ledger.note(path, stamp, state, reason, delivery=delivery, origin=origin, **facts)
        tell = log.warning if state == "failed" else log.info
        tell(f"file {state}", path=shown(path), reason=reason)
        return state

    def _judge(self, arrival: Arrival, force: bool) -> tuple[str, str, dict[str, Any]]:
        inbox = self.desk.settings.inbox
        largest = max(inbox.max_file_bytes, inbox.max_archive_bytes)
        if not stat.S_ISREG(arrival.path.lstat().st_mode):
            return "refused", "a link or special file, which is not followed; copy the file itself here", {}
        if arrival.stamp.size > largest:
            limits = "inbox.max_file_bytes and inbox.max_archive_bytes"
            return "refused", f"has {arrival.stamp.size} bytes, more than {limits} allow ({largest})", {}
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
        from jobs.findings.files.limits import limits_of
        from jobs.findings.parse import parse_paths

        self._need_room(folder, arrival.stamp.size)
        # The original is read once; everything after works on this copy, so it cannot change under us.
        staged = folder / arrival.name
        files.private_folder(staged.parent)
        _copy(arrival.path, staged)
        if stamp_of(arrival.path) != arrival.stamp:
            raise OSError(errno.EAGAIN, "it changed while it was read")
        sha256 = files.sha256_file(staged)
        before = self.desk.ledger.with_content(sha256)
        if before is not None and not force:
            return "duplicate", reasons.seen(before), {"sha256": sha256}
        parsed = parse_paths([staged], limits_of(self.desk.settings), root=folder)
        facts = {
            "sha256": sha256,
            "tool": reasons.tools(parsed.files),
            "findings": len(parsed.findings),
            "members": [report.to_json() for report in parsed.files],
        }
        if all(report.verdict == "refused" for report in parsed.files):
            return "refused", reasons.refusal(parsed.files), facts
        if not parsed.findings:
            return "nothing", "a report without findings", facts
        known = [_known_as(finding) for finding in parsed.findings]
        if not force and self.desk.ledger.unseen(known) == 0:
            return "duplicate", f"no new finding: all {len(known)} are in earlier runs", facts
        files.fsync_below(folder)  # only what is kept: a storm is mostly of what is not
        self.desk.ledger.remember(sha256, known)
        return "accepted", reasons.acceptance(parsed.files), {**facts, "staged": folder.name}

    def _need_room(self, folder: Path, count: int) -> None:
        """Raise OSError (no space) before a copy that would use up what is to stay free."""
        reserve = self.desk.settings.disk.reserve_mb * 1_000_000
        if short := free_space.shortage("a copy", {folder: count}, reserve):
            raise OSError(errno.ENOSPC, str(short))

    def close(self) -> Run | None:
        """Close the inbox's open delivery.

        Returns:
            None if it holds nothing to train on, or stays open to gather what else arrives while another
            run is unfinished; the entries then say so.
        """
        accepted = self.desk.ledger.open_delivery()
        if accepted and (before := self._unfinished_run()):
            reason = f"gathers with what else arrives until {before} has ended"
            waiting = [entry.id for entry in accepted if entry.reason != reason]
            if waiting:
                self.desk.ledger.move(waiting, "accepted", reason, None)
                log.info("delivery gathers", behind=before, files=len(accepted))
            return None
        bystanders = self.desk.ledger.bystanders()
        delivery = uuid.uuid4().hex
        self.desk.ledger.assign([entry.id for entry in (*accepted, *bystanders)], delivery)
        return self.make_run(delivery)

    def _unfinished_run(self) -> str | None:
        """The oldest run that a new one would have to wait for, if deliveries are to gather behind it."""
        if not self.desk.settings.inbox.gather_while_training:
            return None
        return next((run.run_id for run in self.desk.store.unfinished()), None)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep `recover` (and other submits) away from a delivery that is still being put together."""
        lock = files.FileLock(self._lock)
        while True:
            try:
                lock.acquire()
                break
            except files.LockBusy:
                time.sleep(LOCK_POLL_SECONDS)
        try:
            yield
        finally:
            lock.release()

    @property
    def _lock(self) -> Path:
        return self.desk.staging.with_name("intake.lock")

    def recover(self) -> list[Run]:
        """Finish what was left: closed deliveries without a run, drafts, staged files without an entry.

        A daemon or a submit died in between, or no run could be made (disk full). It does nothing while
        a submit is at work; the watcher asks again at its next scan.
        """
        try:
            with files.FileLock(self._lock):
                self.desk.store.sweep()
                deliveries = self.desk.ledger.closing_deliveries()
                runs = [run for delivery in deliveries if (run := self.make_run(delivery))]
                needed = self.desk.ledger.staged_folders()
                for folder in self.desk.staging.iterdir():
                    if folder.name not in needed:
                        shutil.rmtree(folder)
        except files.LockBusy:
            return []
        return runs

    def make_run(self, delivery: str) -> Run | None:
        """Make (or find) the run of a closed delivery and ring for it.

        Returns:
            None if nothing was accepted, or if the machine stood in the way: the entries then stay
            accepted, say why, and `recover` tries again.
        """
        self._strike_lost(delivery)
        entries = self.desk.ledger.of_delivery(delivery)
        accepted = [entry for entry in entries if entry.state == "accepted"]
        if not accepted:
            return None
        ids = [entry.id for entry in accepted]
        try:
            run = self.desk.store.of_delivery(delivery) or self._create(delivery, entries)
        except OSError as error:
            reason = f"no run could be made: {in_words(error)}; will be tried again"
            log.error("no run could be made", reason=in_words(error), delivery=delivery)
            self.desk.ledger.move(ids, "accepted", reason, None)
            return None
        self.desk.ledger.move(ids, "queued", f"in run {run.run_id}", run.run_id)
        for entry in accepted:
            shutil.rmtree(self.desk.staging / str(entry.staged), ignore_errors=True)
        self.desk.ring(run.run_id)
        log.info("run queued", run=run.run_id, files=len(accepted))
        return run

    def _strike_lost(self, delivery: str) -> None:
        for entry in self.desk.ledger.of_delivery(delivery):
            staged = self.desk.staging / str(entry.staged)
            if entry.state == "accepted" and len(files.files_below(staged)) != 1:
                # The watcher reads an original in the inbox again; what was submitted, its owner must.
                self.desk.ledger.move([entry.id], "failed", "its staged copy is lost; deliver it again", None)
                log.error("staged copy is lost", path=entry.path)

    def _create(self, delivery: str, entries: Sequence[Entry]) -> Run:
        from jobs.pipeline.step_table import STEP_NAMES

        settings = whole(self.desk.settings)
        accepted = [entry for entry in entries if entry.state == "accepted"]
        inputs = [reasons.as_input(entry, self._staged(entry)[1]) for entry in accepted]
        inputs += [
            reasons.as_input(entry, Path(entry.path).name) for entry in entries if entry.state != "accepted"
        ]

        def fill(folder: RunFolder) -> None:
            for entry in accepted:
                source, name = self._staged(entry)
                target = folder.report(str(entry.sha256), name)
                files.private_folder(target.parent)
                shutil.copyfile(source, target)

        entire = Delivery(delivery, tuple(inputs), self.desk.ledger.priority(delivery))
        self._need_room(self.desk.store.models_dir, sum(entry.size for entry in accepted))
        run = self.desk.store.create(settings, entire, STEP_NAMES, fill)
        run.event("created", delivery=delivery, files=len(accepted))
        return run

    def _staged(self, entry: Entry) -> tuple[Path, str]:
        folder = self.desk.staging / str(entry.staged)
        (source,) = files.files_below(folder)
        return source, source.relative_to(folder).as_posix()


def _copy(source: Path, target: Path) -> None:
    # Opened without following a link: what was looked at may have been exchanged since.
    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as reading, target.open("xb") as writing:
        shutil.copyfileobj(reading, writing, files.CHUNK)


def _known_as(finding: Finding) -> str:
    # A fix that was not there before makes an old finding worth learning from.
    return f"{finding.fingerprint} {finding.fix.provenance}"
