"""Tell when something dropped into the inbox has settled.

Events are hints and a scan is the truth: FSEvents drops and coalesces, watchdog's emitter dies
silently when the watched folder is replaced, and what lay there before the start gives no event.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from daemon.intake import Intake, stamp_of
from daemon.ledger import FINAL, Ledger, Stamp

log = structlog.get_logger("sectune.watcher")
TICK_SECONDS = 0.5
IGNORED = re.compile(r"^(\._.*|\.DS_Store|__MACOSX|\.Trashes|Thumbs\.db|desktop\.ini|~\$.*|\..*)$")
PARTIAL_SUFFIXES = (".crdownload", ".part", ".partial", ".tmp", ".opdownload", ".aria2", ".download")
PARTIAL_NAME = re.compile(r"^Unconfirmed \d+")
SF_DATALESS = 0x40000000  # macOS: the content is in the cloud; opening it would download it


@dataclass
class _Watch:
    stamp: Stamp
    since: float


class Settling:
    """Pure bookkeeping: which files have not changed for long enough. Knows no file system.

    Args:
        stable_seconds: How long is long enough.
    """

    def __init__(self, stable_seconds: float) -> None:
        self.stable_seconds = stable_seconds
        self.last_change = float("-inf")
        self._watched: dict[Path, _Watch] = {}

    def observe(self, path: Path, stamp: Stamp, moment: float) -> bool:
        """Note what a file looks like at `moment` (seconds, monotonic); True once it has settled."""
        watch = self._watched.get(path)
        if watch is None or watch.stamp != stamp:
            self._watched[path] = _Watch(stamp, moment)
            self.last_change = moment
            return self.stable_seconds <= 0
        return moment - watch.since >= self.stable_seconds

    def remaining(self, path: Path, moment: float) -> float:
        """Seconds until the file has settled, if it does not change again."""
        return max(0.0, self.stable_seconds - (moment - self._watched[path].since))

    def forget(self, path: Path) -> None:
        """Stop watching a file."""
        self._watched.pop(path, None)

    def vanished(self, present: set[Path]) -> list[Path]:
        """Files that are watched but no longer there; they are forgotten."""
        gone = [path for path in self._watched if path not in present]
        for path in gone:
            self.forget(path)
        return gone

    @property
    def busy(self) -> bool:
        """Whether anything has yet to settle."""
        return bool(self._watched)


def candidates(root: Path) -> Iterator[tuple[Path, str | None]]:
    """Every regular file below the inbox that counts, with what it waits for (a partial sibling).

    Links are not followed; hidden and system files are passed over.
    """
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not _passed_over(name))
        present = set(names)
        for name in sorted(names):
            path = Path(folder, name)
            if not _passed_over(name) and path.is_file() and not path.is_symlink():
                yield path, _waits_for(path, name, present)


def _passed_over(name: str) -> bool:
    return bool(IGNORED.match(name)) or name.endswith(".download")  # Safari's bundle of a running download


def _waits_for(path: Path, name: str, present: set[str]) -> str | None:
    if name.endswith(PARTIAL_SUFFIXES) or PARTIAL_NAME.match(name):
        return "its download to end"
    for suffix in (".part", ".aria2", ".crdownload", ".partial"):
        if name + suffix in present:
            return f"{name}{suffix} to disappear"
    if getattr(path.stat(), "st_flags", 0) & SF_DATALESS:
        return "its content to be downloaded from the cloud"
    return None


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
        intake: Receives the files.
        ledger: Knows what was received before.
        stopping: True once the daemon is stopping.
    """

    def __init__(self, root: Path, intake: Intake, ledger: Ledger, stopping: threading.Event) -> None:
        super().__init__(name="watcher", daemon=True)
        self.root = root
        self.intake = intake
        self.ledger = ledger
        self.stopping = stopping
        self.times = intake.desk.settings.inbox
        self.settling = Settling(self.times.stable_seconds)
        self._hint = threading.Event()
        self._observer: BaseObserver | None = None
        self._root_id: tuple[int, int] | None = None

    def run(self) -> None:
        """Watch until the daemon stops."""
        self.settling.last_change = time.monotonic()
        while not self.stopping.is_set():
            try:
                self._watch_root()
                busy = self.scan(time.monotonic())
            except Exception:  # the inbox must outlive any one scan
                log.exception("scan failed; the next one tries again")
                busy = False
            self._wait(busy)
        self._stop_observer()

    def _wait(self, busy: bool) -> None:
        deadline = time.monotonic() + (TICK_SECONDS if busy else self.times.scan_seconds)
        while not self.stopping.is_set() and time.monotonic() < deadline:
            if self._hint.wait(min(TICK_SECONDS, self.times.scan_seconds)) and not busy:
                break
        self._hint.clear()

    def scan(self, moment: float) -> bool:
        """Look at everything once; True if something has yet to settle or a delivery is open."""
        present = set()
        for path, waits_for in candidates(self.root):
            present.add(path)
            self._look(path, waits_for, moment)
        for path in self.settling.vanished(present):
            self.ledger.mark_gone(str(path))
        if not self.ledger.open_delivery() and not self.ledger.refused_since_last_delivery():
            return self.settling.busy
        if not self.settling.busy and moment - self.settling.last_change >= self.times.quiet_seconds:
            self.intake.close()
            return False
        return True

    def _look(self, path: Path, waits_for: str | None, moment: float) -> None:
        stamp = stamp_of(path)
        entry = self.ledger.known(path, stamp)
        if entry is not None and entry.state in FINAL:
            self.settling.forget(path)
            return
        settled = self.settling.observe(path, stamp, moment)
        if waits_for is not None:
            self._note(path, stamp, f"waits for {waits_for}")
        elif not settled:
            seconds = self.settling.remaining(path, moment)
            self._note(path, stamp, f"stable in {seconds:.0f} s")
        else:
            self.intake.receive(path, self.root)
            self.settling.forget(path)

    def _note(self, path: Path, stamp: Stamp, reason: str) -> None:
        entry = self.ledger.known(path, stamp)
        if entry is None or entry.reason != reason:
            self.ledger.note(path, stamp, "settling", reason)

    def _watch_root(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        status = self.root.stat()
        identity = (status.st_dev, status.st_ino)
        alive = self._observer is not None and self._observer.is_alive()
        if alive and identity == self._root_id:
            return
        self._stop_observer()
        observer = Observer()
        observer.schedule(_Hints(self._hint), str(self.root), recursive=True)
        observer.start()
        self._observer, self._root_id = observer, identity
        log.info("watching", inbox=str(self.root))

    def _stop_observer(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2)
            self._observer = None
