"""Turn dropped files into a queued run, or refuse each with a reason.

The order of writes makes a crash harmless: content is staged before it is accepted, a delivery is
named in the ledger before its run is made, and the run carries that name.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from config.snapshot import whole
from daemon.inbox import reasons
from daemon.inbox.entry import Entry, stamp_of, writable_name
from daemon.inbox.file_state import FileState
from daemon.inbox.inspection import Arrival, Fate, Inspection, need_room
from daemon.inbox.ledger import INBOX, Ledger
from daemon.inbox.reasons import in_words
from jobs.fs import files
from jobs.runs.delivery import Delivery
from jobs.runs.folder import RunFolder
from jobs.runs.store import Run, RunStore
from jobs.state_files import StateFiles

if TYPE_CHECKING:  # the parsers are 8 MB; an idle daemon has nothing to parse
    from config.settings import Settings

log = structlog.get_logger("sectune.intake")
LOCK_POLL_SECONDS = 0.1


def prepare() -> None:
    """Import what reads reports and makes runs of them."""
    import jobs.findings.parse
    import jobs.pipeline.chain  # noqa: F401


@dataclass(frozen=True)
class IntakeDependencies:
    """What the intake works with.

    Args:
        settings: With which new runs are made.
        ledger: The inbox ledger.
        store: The runs.
        state_files: Where accepted content waits for its delivery to close, and the lock of that place.
        enqueue: Tells the queue about a new run.
    """

    settings: Settings
    ledger: Ledger
    store: RunStore
    state_files: StateFiles
    enqueue: Callable[[str], object]


class Intake:
    """Receives settled files and closes deliveries."""

    def __init__(self, dependencies: IntakeDependencies) -> None:
        self.settings = dependencies.settings
        self.ledger = dependencies.ledger
        self.store = dependencies.store
        self.lock_file = dependencies.state_files.intake_lock
        self.enqueue = dependencies.enqueue
        self.staging = files.private_folder(dependencies.state_files.staging)
        self.inspection = Inspection(self.settings, self.ledger, self.staging)

    def receive(self, path: Path, root: Path, delivery: str | None = None, force: bool = False) -> FileState:
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
            self.ledger.mark_gone(path)
            return FileState.GONE
        arrival = Arrival(path, Path(writable_name(path.relative_to(root))), stamp, delivery)
        try:
            fate = self.inspection.judge(arrival, force)
        except OSError as error:  # ours or the machine's fault, not the file's
            again = "will be tried again" if delivery is None else "submit it again once that is mended"
            fate = Fate(FileState.FAILED, f"{in_words(error)}; {again}")
        origin = delivery or INBOX
        self.ledger.note(path, stamp, fate.state, fate.reason, delivery=delivery, origin=origin, **fate.facts)
        tell = log.warning if fate.state is FileState.FAILED else log.info
        tell(f"file {fate.state}", path=writable_name(path), reason=fate.reason)
        return fate.state

    def close(self) -> Run | None:
        """Close the inbox's open delivery.

        Returns:
            None if it holds nothing to train on, or stays open to gather what else arrives while another
            run is unfinished; the entries then say so.
        """
        accepted = self.ledger.open_delivery()
        if accepted and (before := self._unfinished_run()):
            reason = f"gathers with what else arrives until {before} has ended"
            waiting = [entry.id for entry in accepted if entry.reason != reason]
            if waiting:
                self.ledger.move(waiting, FileState.ACCEPTED, reason, None)
                log.info("delivery gathers", behind=before, files=len(accepted))
            return None
        bystanders = self.ledger.bystanders()
        delivery = uuid.uuid4().hex
        self.ledger.assign([entry.id for entry in (*accepted, *bystanders)], delivery)
        return self.make_run(delivery)

    def _unfinished_run(self) -> str | None:
        """The oldest run that a new one would have to wait for, if deliveries are to gather behind it."""
        if not self.settings.inbox.gather_while_training:
            return None
        return next((run.run_id for run in self.store.unfinished()), None)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep `recover` (and other submits) away from a delivery that is still being put together."""
        lock = files.FileLock(self.lock_file)
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

    def recover(self) -> list[Run]:
        """Finish what was left: closed deliveries without a run, drafts, staged files without an entry.

        A daemon or a submit died in between, or no run could be made (disk full). It does nothing while
        a submit is at work; the watcher asks again at its next scan.
        """
        try:
            with files.FileLock(self.lock_file):
                self.store.sweep()
                deliveries = self.ledger.closing_deliveries()
                runs = [run for delivery in deliveries if (run := self.make_run(delivery))]
                needed = self.ledger.staged_folders()
                for folder in self.staging.iterdir():
                    if folder.name not in needed:
                        shutil.rmtree(folder)
        except files.LockBusy:
            return []
        return runs

    def make_run(self, delivery: str) -> Run | None:
        """Make (or find) the run of a closed delivery and enqueue it.

        Returns:
            None if nothing was accepted, or if the machine stood in the way: the entries then stay
            accepted, say why, and `recover` tries again.
        """
        self._strike_lost(delivery)
        entries = self.ledger.of_delivery(delivery)
        accepted = [entry for entry in entries if entry.state is FileState.ACCEPTED]
        if not accepted:
            return None
        ids = [entry.id for entry in accepted]
        try:
            run = self.store.of_delivery(delivery) or self._create(delivery, entries)
        except OSError as error:
            reason = f"no run could be made: {in_words(error)}; will be tried again"
            log.error("no run could be made", reason=in_words(error), delivery=delivery)
            self.ledger.move(ids, FileState.ACCEPTED, reason, None)
            return None
        self.ledger.move(ids, FileState.QUEUED, f"in run {run.run_id}", run.run_id)
        for entry in accepted:
            shutil.rmtree(self.staging / str(entry.staged), ignore_errors=True)
        self.enqueue(run.run_id)
        log.info("run queued", run=run.run_id, files=len(accepted))
        return run

    def _strike_lost(self, delivery: str) -> None:
        for entry in self.ledger.of_delivery(delivery):
            staged = self.staging / str(entry.staged)
            if entry.state is FileState.ACCEPTED and len(files.files_below(staged)) != 1:
                # The watcher reads an original in the inbox again; what was submitted, its owner must.
                reason = "its staged copy is lost; deliver it again"
                self.ledger.move([entry.id], FileState.FAILED, reason, None)
                log.error("staged copy is lost", path=entry.path)

    def _create(self, delivery: str, entries: Sequence[Entry]) -> Run:
        from jobs.pipeline.step_table import STEP_NAMES

        settings = whole(self.settings)
        accepted = [entry for entry in entries if entry.state is FileState.ACCEPTED]
        inputs = [reasons.as_input(entry, self._staged(entry)[1]) for entry in accepted]
        others = [entry for entry in entries if entry.state is not FileState.ACCEPTED]
        inputs += [reasons.as_input(entry, Path(entry.path).name) for entry in others]

        def fill(folder: RunFolder) -> None:
            for entry in accepted:
                source, name = self._staged(entry)
                target = folder.report(str(entry.sha256), name)
                files.private_folder(target.parent)
                shutil.copyfile(source, target)

        entire = Delivery(delivery, tuple(inputs), self.ledger.priorities.of(delivery))
        need_room(self.settings, self.store.models_dir, sum(entry.size for entry in accepted))
        run = self.store.create(settings, entire, STEP_NAMES, fill)
        run.event("created", delivery=delivery, files=len(accepted))
        return run

    def _staged(self, entry: Entry) -> tuple[Path, str]:
        folder = self.staging / str(entry.staged)
        (source,) = files.files_below(folder)
        return source, source.relative_to(folder).as_posix()
