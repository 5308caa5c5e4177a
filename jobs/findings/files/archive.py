"""Archives (zip, tar, tar.gz, gz), nested once: checked whole before a byte of them is kept."""

from __future__ import annotations

import gzip
import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from jobs.findings.model.refusals import Refused

# Below this many unpacked bytes no ratio is a danger, and small reports of much the same text reach 100:1.
SMALL = 1 << 20
_CHUNK = 1 << 16
_OTHERS = (
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)


@dataclass(frozen=True)
class Limits:
    """How much a delivery may hold; the values come from the settings.

    Attributes:
        max_file_bytes: The largest single file or archive member.
        max_members: The most members of one delivered archive, those of a nested one included.
        max_total_bytes: The most unpacked bytes of one delivered archive.
        max_ratio: The most unpacked bytes per packed byte.
    """

    max_file_bytes: int
    max_members: int
    max_total_bytes: int
    max_ratio: float


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive; its name has `!` between a nested archive and its member.

    `refused` says why a damaged member or a hostile nested archive is not read; its siblings are.
    """

    name: str
    data: bytes
    refused: str | None = None


@dataclass(slots=True)
class Budget:
    """What is left of the limits while one delivered archive and its nested ones are read."""

    limits: Limits
    members: int = 0
    total: int = 0

    def take(self, members: int, size: int, packed: int) -> None:
        """Spend members and unpacked bytes.

        Raises:
            Refused: A limit is passed.
        """
        self.members += members
        self.total += size
        if self.members > self.limits.max_members:
            raise Refused(f"archive refused: more than {self.limits.max_members} members")
        if self.total > self.limits.max_total_bytes:
            raise Refused(f"archive refused: more than {self.limits.max_total_bytes} bytes unpacked")
        if size > SMALL and size > packed * self.limits.max_ratio:
            raise Refused(f"archive refused: unpacks to more than {self.limits.max_ratio:g} times its size")


def kind(data: bytes) -> str | None:
    """zip, tar or gz by the first bytes, or None.

    Raises:
        Refused: It is an archive of a kind we do not open.
    """
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return "zip"
    if data.startswith(b"\x1f\x8b"):
        return "gz"
    if data[257:262] == b"ustar":
        return "tar"
    for magic, name in _OTHERS:
        if data.startswith(magic):
            raise Refused(f"a {name} archive, which sectune does not open: unpack it first")
    return None


def members(data: bytes, name: str, limits: Limits) -> Iterator[Member]:
    """The files of an archive, and of archives in it.

    Args:
        data: The archive's bytes.
        name: Its file name; a bare `.gz` names its only member after it.
        limits: Nothing is yielded from an archive that passes them.

    Raises:
        Refused: The archive is hostile, encrypted, damaged or too deeply nested.
    """
    yield from _members(data, name, Budget(limits), depth=0)


def _members(data: bytes, name: str, budget: Budget, depth: int) -> Iterator[Member]:
    for member in _open_members(data, name, budget):
        inner = kind_or_none(member.data)
        if inner is None:
            yield member
            continue
        if depth:
            yield Member(member.name, member.data, "archive refused: nested more than once")
            continue
        try:
            nested = list(_members(member.data, member.name, budget, depth + 1))
        except Refused as refused:
            yield Member(member.name, member.data, str(refused))
            continue
        for entry in nested:
            yield Member(f"{member.name}!{entry.name}", entry.data, entry.refused)


def kind_or_none(data: bytes) -> str | None:
    """As `kind`; archives we do not open count as ordinary members, refused later by themselves."""
    try:
        return kind(data)
    except Refused:
        return None


def _open_members(data: bytes, name: str, budget: Budget) -> Iterator[Member]:
    found = kind(data)
    try:
        if found == "zip":
            yield from _zip(data, budget)
        elif found == "tar":
            yield from _tar(data, budget)
        else:
            yield from _gzip(data, name, budget)
    except Refused:
        raise
    except (*_BROKEN, RuntimeError) as error:  # zipfile raises RuntimeError for passwords
        raise Refused(f"damaged archive: {type(error).__name__}: {str(error)[:200]}") from error


def safe_name(name: str) -> str:
    """A member's name as a relative POSIX path.

    Raises:
        Refused: It is absolute or climbs out of the archive.
    """
    plain = name.replace("\\", "/")
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
        raise Refused(f"archive refused: absolute path {name[:100]!r}")
    if ".." in PurePosixPath(plain).parts:
        raise Refused(f"archive refused: path with .. {name[:100]!r}")
    if "\0" in plain or not plain:
        raise Refused("archive refused: a member without a usable name")
    return PurePosixPath(plain.encode("utf-8", "replace").decode("utf-8")).as_posix()


def is_litter(path: str) -> bool:
    """Whether a path is what macOS leaves in folders and archives."""
    parts = PurePosixPath(path).parts
    return "__MACOSX" in parts or any(part == ".DS_Store" or part.startswith("._") for part in parts)


def _zip(data: bytes, budget: Budget) -> Iterator[Member]:
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        listed = opened.infolist()
        budget.take(len(listed), 0, 0)
        names = [_check_zip(entry, budget.limits) for entry in listed]
        budget.take(0, sum(entry.file_size for entry in listed), len(data))
        for entry, name in zip(listed, names, strict=True):
            if not entry.is_dir() and not is_litter(name):
                yield _zip_member(opened, entry, name)


def _zip_member(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Member:
    try:
        with opened.open(entry) as stream:
            return Member(name, _read(stream, entry.file_size))
    except _BROKEN as error:
        return Member(name, b"", f"damaged archive member: {type(error).__name__}: {str(error)[:200]}")


def _check_zip(entry: zipfile.ZipInfo, limits: Limits) -> str:
    mode = entry.external_attr >> 16
    if entry.flag_bits & 0x1:
        raise Refused("archive refused: encrypted")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused(f"archive refused: link or device {entry.filename[:100]!r}")
    if entry.file_size > limits.max_file_bytes:
        raise Refused(f"archive refused: a member larger than {limits.max_file_bytes} bytes")
    return safe_name(entry.filename)


def _read(stream: IO[bytes], size: int) -> bytes:
    """Read no more than the size that was checked: a header may lie about it."""
    data = stream.read(size + 1)
    if len(data) > size:
        raise Refused("archive refused: a member is larger than it says")
    return data


def _tar(data: bytes, budget: Budget) -> Iterator[Member]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
        entries = []
        for entry in opened:  # one at a time: a refusal stops before the rest is listed
            budget.take(1, entry.size if entry.isreg() else 0, len(data))
            entries.append((entry, _check_tar(entry, budget.limits)))
        for entry, name in entries:
            stream = opened.extractfile(entry) if entry.isreg() and not is_litter(name) else None
            if stream is not None:
                yield Member(name, _read(stream, entry.size))


def _check_tar(entry: tarfile.TarInfo, limits: Limits) -> str:
    if not (entry.isreg() or entry.isdir()) or entry.issparse():
        raise Refused(f"archive refused: link, device or sparse file {entry.name[:100]!r}")
    if entry.size > limits.max_file_bytes:
        raise Refused(f"archive refused: a member larger than {limits.max_file_bytes} bytes")
    return safe_name(entry.name) if entry.name != "." else "."


def _gzip(data: bytes, name: str, budget: Budget) -> Iterator[Member]:
    """A gzip file: a tar inside is opened in place, anything else is its only member."""
    limits = budget.limits
    allowed = min(limits.max_total_bytes - budget.total, max(SMALL, int(len(data) * limits.max_ratio)))
    unpacked = bytearray()
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        while chunk := stream.read(_CHUNK):
            unpacked += chunk
            if len(unpacked) > allowed:
                raise Refused(f"archive refused: unpacks to more than {allowed} bytes")
    content = bytes(unpacked)
    if kind_or_none(content) == "tar":
        yield from _tar(content, budget)
        return
    budget.take(1, len(content), len(data))
    if len(content) > limits.max_file_bytes:
        raise Refused(f"archive refused: a member larger than {limits.max_file_bytes} bytes")
    base = PurePosixPath(name.rpartition("!")[2].replace("\\", "/")).name
    yield Member(base[:-3] if base.lower().endswith(".gz") and len(base) > 3 else base or "content", content)
