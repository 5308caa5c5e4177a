"""One writer at a time in a registry; what a killed writer left half done is swept away first."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jobs.errors import OperatorError
from jobs.fs.files import FileLock, LockBusy, private_folder

LOCK_NAME = ".lock"
UNFINISHED = ".unfinished-"
# Certifying copies and hashes a few gigabytes: seconds on an SSD, a few minutes on a slow disk.
PATIENCE_SECONDS = 300.0
POLL_SECONDS = 0.05


@contextmanager
def writing(registry: Path, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the registry's lock; create the registry where it is missing.

    Args:
        registry: The registry's folder.
        patience: How long to wait for another writer, in seconds.

    Raises:
        OperatorError: Another writer still holds the lock after `patience`.
    """
    private_folder(registry)
    lock = FileLock(registry / LOCK_NAME)
    _wait_for(lock, registry, time.monotonic() + patience)
    try:
        _sweep(registry)
        yield
    finally:
        lock.release()


def unfinished_name(registry: Path) -> Path:
    """A fresh name for something not yet complete; `writing` sweeps it away if its writer dies."""
    return registry / f"{UNFINISHED}{secrets.token_hex(4)}"


def _wait_for(lock: FileLock, registry: Path, deadline: float) -> None:
    while True:
        try:
            return lock.acquire()
        except LockBusy as busy:
            if time.monotonic() >= deadline:
                raise OperatorError(
                    f"The registry {registry} is being written by process {busy.holder}.",
                    "Wait for it, or end it if it hangs.",
                ) from busy
        time.sleep(POLL_SECONDS)


def _sweep(registry: Path) -> None:
    for path in registry.glob(f"{UNFINISHED}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
