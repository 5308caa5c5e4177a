"""Room on the disks: how much is free, whether it will do, and a little kept aside to say if not."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RESERVE_FILE_BYTES = 128 * 1024  # several manifests: one of a finished run has about 20 KB


@dataclass(frozen=True)
class Shortage:
    """A disk without room for what is to be written.

    Args:
        folder: Of ours, on that disk.
        what: Who needs it.
        needed: Bytes that will be written.
        reserve: Bytes that stay free all the same.
        free: Bytes that are free now.
    """

    folder: Path
    what: str
    needed: int
    reserve: int
    free: int

    @property
    def missing(self) -> int:
        """Bytes that must become free before there is room."""
        return self.needed + self.reserve - self.free

    def __str__(self) -> str:
        kept = f" and {in_words(self.reserve)} stay free (disk.reserve_mb)" if self.reserve else ""
        return (
            f"waits for {in_words(self.missing)} on the disk of {self.folder}: "
            f"{in_words(self.free)} free, {self.what} needs {in_words(self.needed)}{kept}"
        )


def in_words(count: int) -> str:
    """Bytes as a person reads them: 1.2 GB, 35 MB, 0.3 MB (10**9 and 10**6 bytes)."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 10e6 else f"{count / 1e6:.1f} MB"


def shortage(what: str, needs: Mapping[Path, int], reserve: int) -> Shortage | None:
    """The first disk that has no room for what is to be written; None if all have.

    Folders on one disk are added up; a folder that is not there yet counts where its nearest parent is.

    Args:
        what: Who needs it, for the words.
        needs: Bytes by folder; the first folder of a disk names it.
        reserve: Bytes that stay free on every disk.
    """
    disks: dict[int, tuple[Path, int]] = {}
    for folder, count in needs.items():
        device = _nearest(folder).stat().st_dev
        first, before = disks.get(device, (folder, 0))
        disks[device] = (first, before + count)
    for folder, needed in disks.values():
        left = free_bytes(folder)
        if left < needed + reserve:
            return Shortage(folder, what, needed, reserve, left)
    return None


def free_bytes(folder: Path) -> int:
    """Bytes that we may still write on a folder's disk."""
    status = os.statvfs(_nearest(folder))
    return status.f_bavail * status.f_frsize


def _nearest(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def keep_reserve_file(path: Path) -> None:
    """Keep a little room aside, so that a run can say on a full disk what it waits for.

    Raises:
        OSError: There is no room even for this.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.draft")
        # Random, or a file system that packs would keep nothing aside.
        draft.write_bytes(os.urandom(RESERVE_FILE_BYTES))
        draft.replace(path)


def free_reserve_file(path: Path) -> None:
    """Free what was kept aside."""
    path.unlink(missing_ok=True)
