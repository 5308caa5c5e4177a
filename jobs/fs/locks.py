"""A lock that the kernel drops with its holder, and who holds it.

`sectune status` asks who holds the daemon's: nothing heavy is imported here.
"""

from __future__ import annotations

import fcntl
import os
import time

from config.errors import SectuneError

TYPE_CHECKING = False  # typing and pathlib take as long to import as Python takes to start
if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

LOOK_SECONDS = 2.0
FORK_SECONDS = 0.05


class Holder:
    """Who holds a lock, as the line in its file says: `pid N`, and the words for what.

    Args:
        pid: Its process id; None where a line names none.
        words: A run and its step, or a program and its version.
    """

    __slots__ = ("pid", "words")

    def __init__(self, pid: int | None, *words: str) -> None:
        self.pid = pid
        self.words = words

    @classmethod
    def parse(cls, line: str) -> Holder:
        """Read a holder's line, whoever wrote it."""
        words = line.split()
        if len(words) > 1 and words[0] == "pid" and words[1].isdigit():
            return cls(int(words[1]), *words[2:])
        return cls(None, *words)

    def __str__(self) -> str:
        """The line that goes into the lock's file."""
        return " ".join(self.words if self.pid is None else ("pid", str(self.pid), *self.words))


class LockBusy(SectuneError):
    """Somebody else holds the lock; `holder` is what they wrote about themselves."""

    exit_code = 75  # of sysexits.h: try again later

    def __init__(self, holder: str) -> None:
        super().__init__(f"held by {holder or 'another process'}")
        self.holder = holder


class FileLock:
    """An advisory lock that the kernel drops with its holder, however the holder dies.

    Args:
        path: The lock file; it is created and never removed, since removing it would let two holders in.
        holder: A line about the holder, for whoever finds the lock busy.
    """

    def __init__(self, path: Path, holder: str = "") -> None:
        self.path = path
        self.holder = holder
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock at once.

        Raises:
            LockBusy: Somebody else holds it.
        """
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _taken(fd):
                raise LockBusy(_first_line(fd))
            line = f"{self.holder or os.getpid()}\n".encode()
            os.pwrite(fd, line, 0)  # first write, then cut: a busy lock is never without a holder's line
            os.ftruncate(fd, len(line))
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """Give the lock back; harmless if it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _taken(fd: int) -> bool:
    """Take the lock on `fd`, or find out that somebody else really has it."""
    from random import uniform

    began = time.monotonic()
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            looked_at = _shareable(fd)
        # A look (lock_holder) shares the lock for microseconds, and never makes it busy. A real holder may
        # just have let go: a process that was forked meanwhile keeps his lock until its exec.
        if time.monotonic() - began > (LOOK_SECONDS if looked_at else FORK_SECONDS):
            return False
        time.sleep(uniform(0.0005, 0.01))


def _shareable(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(fd, fcntl.LOCK_UN)
    return True


def _first_line(fd: int) -> str:
    return os.pread(fd, 4096, 0).decode("utf-8", "replace").partition("\n")[0].strip()


def lock_holder(path: Path | str) -> str | None:
    """What the present holder of a lock wrote about itself, or None if nobody holds it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _first_line(fd) or "another process"
    finally:
        os.close(fd)
    return None
