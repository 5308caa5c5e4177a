"""Copy a file so that an edit of either copy never reaches the other; share blocks where that is safe."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import sys
from pathlib import Path

from jobs.fs.files import fsync_fd

# _IOW(0x94, 9, int) in linux/fs.h: give the target the source's blocks, copied when one of them is written.
FICLONE = 0x40049409


def copy_file(source: Path, target: Path) -> None:
    """Copy the bytes of `source` to the new file `target` and force them onto the disk.

    A clone (APFS, Btrfs, XFS) costs no space and no time; elsewhere the bytes are copied. Never a hard
    link: an edit of the source would change the copy. A link at `source` is followed.

    Raises:
        FileExistsError: `target` is there already.
        OSError: The source cannot be read or the disk is full; no target is left behind.
    """
    source = source.resolve(strict=True)
    if not _clone_on_mac(source, target):
        try:
            _copy(source, target)
        except FileExistsError:
            raise
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    fd = os.open(target, os.O_RDONLY)
    try:
        fsync_fd(fd)
    finally:
        os.close(fd)


def _clone_on_mac(source: Path, target: Path) -> bool:
    if sys.platform != "darwin":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.clonefile(os.fsencode(source), os.fsencode(target), 0) == 0)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("xb") as writing:
        if not _clone_on_linux(reading.fileno(), writing.fileno()):
            shutil.copyfileobj(reading, writing, 1 << 20)


def _clone_on_linux(source: int, target: int) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:  # ext4, tmpfs, or two file systems: none of them can, and the plain copy will do
        return False
    return True
