"""Tell when something dropped into the inbox has settled.

Events are hints and a scan is the truth: FSEvents drops and coalesces, watchdog's emitter dies
silently when the watched folder is replaced, and what lay there before the start gives no event.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from daemon.inbox.candidates import candidates
from daemon.inbox.entry import Stamp, stamp_of, writable_name
from daemon.inbox.file_state import FINAL, FileState
from daemon.inbox.intake import Intake, prepare
from daemon.inbox.ledger import Ledger
from daemon.inbox.reasons import in_words
from daemon.inbox.settling import Settling
from daemon.sleep import Clocks
from jobs.diagnosis import is_full

if TYPE_CHECKING:
    from config.settings import Inbox

log = structlog.get_logger("sectune.watcher")
TICK_SECONDS = 0.5
RECEIVE_SECONDS = 1.0  # of reading in one scan: what changed meanwhile is seen before more is read
BURST_SECONDS = 0.2  # events come in bursts; one scan answers them all
NOT_SEEN = Stamp(0, 0, 0)  # of what could not even be looked at


class _Hints(FileSystemEventHandler):
    def __init__(self, hint: threading.Event) -> None:
        self.hint = hint

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in ("opened", "closed_no_write"):  # our own reading is no news
            self.hint.set()


class Watcher(threading.Thread):
    """Scans the inbox when hinted and every so often, and hands settled files to the intake.

    Args:
        root: The inbox; it is created, and created again should it vanish.
        times: How long a file and the inbox have to be still, and how often it is scanned.
        intake: Receives the files.
        ledger: Knows what was received before.
        stopping: True once the daemon is stopping.
    """

    def __init__(
        self, root: Path, times: Inbox, intake: Intake, ledger: Ledger, stopping: threading.Event
    ) -> None:
        super().__init__(name="watcher", daemon=True)
        self.root = root
        self.intake = intake
        self.ledger = ledger
        self.stopping = stopping
        self.times = times
        self.settling = Settling(self.times.stable_seconds)
        self._ended: dict[Path, Stamp] = {}  # spares a look into the ledger for all that stays in the inbox
        self._again_at: dict[Path, float] = {}
        self._noted: dict[Path, tuple[Stamp, str | None]] = {}  # as settling, in the ledger
        self._behind = False  # more has settled than one scan reads
        self._prepared = False
        self._hint = threading.Event()
        self._observer: BaseObserver | None = None
        self._root_id: tuple[int, int] | None = None
        self._clocks = Clocks()  # what came while the machine slept gave no event

    def run(self) -> None:
        """Watch until the daemon stops."""
        self.settling.last_change = time.monotonic()
        while not self.stopping.is_set():
            try:
                self._watch_root()
                busy = self.scan(time.monotonic())
                if not busy:
                    self.intake.recover()
            except Exception as error:  # the inbox must outlive any one scan
                if is_full(error):
                    log.error("the disk is full; the next scan tries again", error=str(error))
                else:
                    log.exception("scan failed; the next one tries again")
                busy = False
            self._wait(busy)
        self._stop_observer()

    def _wait(self, busy: bool) -> None:
        if self._behind:
            return
        if busy:
            self.stopping.wait(min(TICK_SECONDS, self.times.scan_seconds))
        else:
            deadline = time.monotonic() + self.times.scan_seconds
            while not self.stopping.is_set() and (left := deadline - time.monotonic()) > 0:
                if self._hint.wait(min(TICK_SECONDS, left)):
                    self.stopping.wait(BURST_SECONDS)
                    break
                if slept := self._clocks.slept():
                    log.info("the machine slept, so the inbox is scanned now", seconds=round(slept))
                    break
        self._hint.clear()

    def scan(self, moment: float) -> bool:
        """Look at everything once; True if something has yet to settle or a delivery is open."""
        present: set[Path] = set()

        def unlisted(error: OSError) -> None:
            folder = Path(error.filename)
            present.add(folder)
            self._note(folder, NOT_SEEN, FileState.FAILED, f"{in_words(error)}; will be tried again")

        settled = []
        with self.ledger.together():
            for path, waits_for in candidates(self.root, unlisted):
                present.add(path)
                if stamp := self._look(path, waits_for, moment):
                    settled.append((path, stamp))
            self._tidy(present)
        self._receive_some(settled, moment)
        if not self.ledger.has_open():
            return self.settling.busy
        if not self.settling.busy and moment - self.settling.last_change >= self.times.quiet_seconds:
            self.intake.close()
            return False
        return True

    def _tidy(self, present: set[Path]) -> None:
        self.settling.keep_only(present)
        self._ended = {path: stamp for path, stamp in self._ended.items() if path in present}
        self._again_at = {path: moment for path, moment in self._again_at.items() if path in present}
        names = {writable_name(path) for path in present}
        for name in self.ledger.unsettled():
            if name not in names:
                path = Path(name)
                self._noted.pop(path, None)
                (self.ledger.forget if path.is_dir() else self.ledger.mark_gone)(path)

    def _look(self, path: Path, waits_for: str | None, moment: float) -> Stamp | None:
        """Note what a file looks like; its stamp if it is to be read now."""
        try:
            stamp = stamp_of(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._note(path, NOT_SEEN, FileState.FAILED, f"{in_words(error)}; will be tried again")
            return None
        if self._ended.get(path) == stamp:
            return None
        # Firefox and Chrome keep the place with an empty file, while the content grows under another name.
        waits_for = waits_for or (None if stamp.size else "its content, it is empty")
        return stamp if self._is_due(path, stamp, waits_for, moment) else None

    def _is_due(self, path: Path, stamp: Stamp, waits_for: str | None, moment: float) -> bool:
        known = self._noted.get(path)
        if known is None or known != (stamp, waits_for):
            self._prepare()
            entry = self.ledger.known(path, stamp)
            if entry is not None and entry.state in FINAL:
                self._end(path, stamp)
                return False
            if entry is not None and entry.state == FileState.FAILED:
                # Not more often than the inbox is scanned anyway, and without keeping the delivery open.
                return moment >= self._again_at.get(path, moment)
            stable = f"is read once it has not changed for {self.times.stable_seconds:g} s"
            self._note(path, stamp, FileState.SETTLING, f"waits for {waits_for}" if waits_for else stable)
            self._noted[path] = (stamp, waits_for)
        return self.settling.observe(path, stamp, moment, waits_for is not None)

    def _receive_some(self, settled: list[tuple[Path, Stamp]], moment: float) -> None:
        """Read what has settled; what is left after a second, the next scan looks at again first."""
        until = time.monotonic() + RECEIVE_SECONDS
        self._behind = False
        with self.ledger.together():
            for number, (path, stamp) in enumerate(settled, start=1):
                self._receive(path, stamp, moment)
                if self.stopping.is_set() or time.monotonic() >= until:
                    self._behind = number < len(settled)
                    break

    def _prepare(self) -> None:
        # What reads reports is loaded while the first one settles: it takes half a second and 25 MB.
        if not self._prepared:
            self._prepared = True
            threading.Thread(target=prepare, name="prepare", daemon=True).start()

    def _receive(self, path: Path, stamp: Stamp, moment: float) -> None:
        self.settling.forget(path)
        self._noted.pop(path, None)
        if self.intake.receive(path, self.root) in FINAL:
            self._end(path, stamp)
        else:
            self._again_at[path] = moment + self.times.scan_seconds

    def _end(self, path: Path, stamp: Stamp) -> None:
        self.settling.forget(path)
        self._again_at.pop(path, None)
        self._noted.pop(path, None)
        self._ended[path] = stamp

    def _note(self, path: Path, stamp: Stamp, state: FileState, reason: str) -> None:
        entry = self.ledger.known(path, stamp)
        if entry is None or (entry.state, entry.reason) != (state, reason):
            self.ledger.note(path, stamp, state, reason)

    def _watch_root(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        status = self.root.stat()
        identity = (status.st_dev, status.st_ino)
        if self._is_watching() and identity == self._root_id:
            return
        self._stop_observer()
        observer = Observer()
        observer.schedule(_Hints(self._hint), str(self.root), recursive=True)
        try:
            observer.start()
        except OSError as error:  # for example no inotify watch left; the scans alone find everything, later
            log.warning("no events from the inbox, it is only scanned", reason=str(error))
            return
        self._observer, self._root_id = observer, identity
        log.info("watching", inbox=str(self.root))

    def _is_watching(self) -> bool:
        # The observer outlives its emitter, which ends without a word when its folder is replaced; and
        # the new folder may have the old one's inode.
        observer = self._observer
        return observer is not None and all(thread.is_alive() for thread in (observer, *observer.emitters))

    def _stop_observer(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2)
            self._observer = None
