"""One file of the inbox ledger, and how it is told from another content of the same name."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from daemon.inbox.file_state import FileState


@dataclass(frozen=True)
class Stamp:
    """What a file looked like: when one of these changes, it is another content."""

    size: int
    mtime_ns: int
    inode: int


def stamp_of(path: Path) -> Stamp:
    """What a file looks like now, without following a link.

    Raises:
        OSError: It is not there, or not to be seen.
    """
    status = path.lstat()
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ino)


class Facts(TypedDict, total=False):
    """What a look into a file found out.

    Keys:
        sha256: Of its content.
        tool: Whose report it is; several are joined with commas.
        findings: How many it holds.
        members: Its members' verdicts, as `FileReport.to_json` has them.
        staged: The name of the folder in which its copy waits.
    """

    sha256: str
    tool: str | None
    findings: int
    members: list[dict[str, Any]]
    staged: str


class Columns(Facts, total=False):
    """What can be written down beside a file's state: facts, and where it belongs.

    Keys:
        delivery: The closed delivery it is part of; None for the open one.
        run_id: The run it is in.
        origin: The inbox, or the delivery that a submit named it for.
    """

    delivery: str | None
    run_id: str | None
    origin: str


@dataclass(frozen=True)
class Entry:
    """One file as the ledger knows it."""

    id: int
    path: str
    size: int
    sha256: str | None
    state: FileState
    reason: str
    tool: str | None
    findings: int | None
    members: tuple[dict[str, Any], ...]
    staged: str | None
    delivery: str | None
    run_id: str | None
    first_seen: str
    updated_at: str

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Entry:
        """A row of the table `files`."""
        plain = {key: row[key] for key in cls.__dataclass_fields__ if key not in ("members", "state")}
        return cls(**plain, state=FileState(row["state"]), members=tuple(json.loads(row["members"])))

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return {**self.__dict__, "members": list(self.members)}


def writable_name(path: Path) -> str:
    """A path as it can be written: a name of bytes that are no UTF-8 gets question marks."""
    return str(path).encode("utf-8", "replace").decode("utf-8")
