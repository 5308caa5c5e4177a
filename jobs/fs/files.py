"""Reading and writing files so that a crash at any moment leaves the old content or the new one."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from jobs.fs.locks import FileLock as FileLock
from jobs.fs.locks import LockBusy as LockBusy
from jobs.fs.locks import lock_holder as lock_holder

CHUNK = 1 << 20
# Ours, and those of the adapter writer (mlx insists on the ending).
TEMPORARY = re.compile(r"^\.(?P<of>.+)\.([0-9a-f]{8}\.tmp|tmp\.safetensors)$")


def fsync_fd(fd: int) -> None:
    """Force one open file onto the disk, through the drive's own cache on macOS.

    Args:
        fd: An open file descriptor.
    """
    full_sync = getattr(fcntl, "F_FULLFSYNC", None)
    if full_sync is None:
        os.fsync(fd)
        return
    try:
        fcntl.fcntl(fd, full_sync)
    except OSError as error:  # network and FUSE volumes know only fsync
        if error.errno not in (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY):
            raise
        os.fsync(fd)


def fsync_folder(folder: Path) -> None:
    """Make a rename inside `folder` durable."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def temporary_beside(path: Path) -> Path:
    """A fresh hidden name in the same folder, so that the final rename stays on one file system."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


@contextmanager
def written_atomically(path: Path) -> Iterator[BinaryIO]:
    """A stream whose content takes `path`'s place, durably, once the block has ended without an error."""
    temporary = temporary_beside(path)
    try:
        with temporary.open("xb") as stream:
            yield stream
            stream.flush()
            fsync_fd(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically and durably; readers see the old content or the new one."""
    with written_atomically(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; NaN and infinity are refused because JSON has neither."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_jsonl(path: Path, rows: Iterable[Any]) -> int:
    """Write one JSON object a line, atomically, without holding the rows in memory.

    Returns:
        The number of rows written.
    """
    count = 0
    with written_atomically(path) as stream:
        for row in rows:
            stream.write((json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8"))
            count += 1
    return count


def append_jsonl(path: Path, row: Any) -> None:
    """Append one row; see `append_line`."""
    append_line(path, json.dumps(row, ensure_ascii=False, allow_nan=False))


def append_line(path: Path, text: str) -> None:
    """Append one line in a single write, so that two writers never mix inside a line.

    Raises:
        OSError: The disk took only a part of the line (it is full), or nothing; the file is as it was.
    """
    line = (text + "\n").encode("utf-8")
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        written = os.write(fd, line)
        if written < len(line):
            _take_back(fd, written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(fd)


def _take_back(fd: int, written: int) -> None:
    # The next line would be glued to this torn one, and both be lost.
    end = os.lseek(fd, 0, os.SEEK_CUR)
    if os.fstat(fd).st_size == end:  # unless another writer came behind it meanwhile
        os.ftruncate(fd, end - written)


def read_json(path: Path) -> Any:
    """Read one JSON document."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_jsonl(path: Path) -> Iterator[Any]:
    """Yield each complete line's value; a torn last line (a writer was killed) is left out."""
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                yield json.loads(line)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits, in constant memory."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of a value's canonical JSON: sorted keys, no spaces."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def files_below(folder: Path) -> list[Path]:
    """Every regular file below `folder`, in the order of their relative POSIX paths."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def sha256_files(folder: Path, paths: Iterable[Path]) -> str:
    """One hash over several files: their relative paths and their contents' hashes.

    Args:
        folder: The folder the recorded names are relative to.
        paths: The files, in any order; the result does not depend on it.
    """
    lines = sorted(f"{path.relative_to(folder).as_posix()}\0{sha256_file(path)}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def private_folder(path: Path) -> Path:
    """Create `path` (and its parents) readable by its owner alone; an existing folder is left as it is."""
    if not path.is_dir():  # mkdir(parents=True) would give the parents the umask's mode, not this one
        private_folder(path.parent)
        path.mkdir(exist_ok=True, mode=0o700)
    return path


def fsync_below(folder: Path) -> None:
    """Make the content of a whole folder durable, before a rename makes its name durable."""
    for path in (folder, *folder.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            fsync_folder(path)
        elif path.is_file() and not path.is_symlink():
            with path.open("rb") as stream:
                fsync_fd(stream.fileno())


def replace_folder(source: Path, target: Path) -> None:
    """Put the finished folder `source` in the place of `target`; only one writer may do so at a time.

    A crash between the two renames leaves no `target`; the step that called this runs again then. What
    killed writers left (unfinished files in `source`, an old `target` on its way out) is removed.
    """
    for leftover in (*temporaries(source), *temporaries(target.parent, target.name)):
        if leftover != source:
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    fsync_below(source)
    old = temporary_beside(target)
    if target.exists():
        target.rename(old)
    source.rename(target)
    fsync_folder(target.parent)
    if old.exists():
        shutil.rmtree(old)


def temporaries(folder: Path, name: str | None = None) -> list[Path]:
    """The temporary names in `folder`: of the file or folder `name`, or of any."""
    matches = [(path, TEMPORARY.match(path.name)) for path in folder.iterdir()]
    return [path for path, match in matches if match and name in (None, match["of"])]
