"""The inbox ledger: every file that was ever seen, its state and the reason, in one SQLite file.

A file has one row for the inbox and one for each `sectune submit` that named it (its origin is then
the delivery), so that a second look at a file never overwrites what became of the first.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Unpack

from daemon.inbox.entry import Columns, Entry, Stamp, writable_name
from daemon.inbox.file_state import BYSTANDERS, FINAL, UNREAD, FileState, check_change
from daemon.inbox.ledger_counts import INBOX as INBOX
from daemon.inbox.ledger_counts import counts
from daemon.inbox.ledger_file import LedgerFile
from daemon.inbox.priorities import Priorities
from daemon.inbox.seen_findings import SeenFindings
from jobs.clock import now

TAKEN = (FileState.ACCEPTED, FileState.QUEUED)
SAME = "path = :path and size = :size and mtime_ns = :mtime_ns and inode = :inode and origin = :origin"


def _any_of(states: Iterable[FileState]) -> str:
    """States as SQL's `in` takes them."""
    quoted = (f"'{state}'" for state in sorted(states))
    return f"({', '.join(quoted)})"


class Ledger:
    """The ledger's files; findings and priorities, which it remembers too, have a class of their own.

    Args:
        path: The SQLite file; it is created, or brought to this version.

    Raises:
        OperatorError: A newer sectune wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = LedgerFile(path)
        self.findings = SeenFindings(self._file)
        self.priorities = Priorities(self._file)

    def together(self) -> AbstractContextManager[None]:
        """Let this thread's uses share a connection and its writes a commit; see `LedgerFile.together`."""
        return self._file.together()

    def known(self, path: Path, stamp: Stamp) -> Entry | None:
        """The inbox's entry of exactly this content at this place, if there is one."""
        return self._one(f"select * from files where {SAME}", _identity(path, stamp, INBOX))

    def note(
        self, path: Path, stamp: Stamp, state: FileState, reason: str = "", **columns: Unpack[Columns]
    ) -> None:
        """Record a file's state.

        Args:
            path: Where it is.
            stamp: What it looked like.
            state: Its new state.
            reason: In words a person can act on.
            columns: What else is to be written down; what is not named stays as it is.

        Raises:
            IllegalChange: It cannot get this state from the one it has.
        """
        given: dict[str, Any] = {"state": state, "reason": reason, "updated_at": now(), **columns}
        if "members" in columns:
            given["members"] = json.dumps(columns["members"], ensure_ascii=False)
        values = {**_identity(path, stamp, columns.get("origin", INBOX)), "first_seen": now(), **given}
        changed = ", ".join(f"{key} = excluded.{key}" for key in given)
        with self._file.writing() as connection:
            # An earlier look at an unfinished content of the same place has come to nothing; one that was
            # refused while its copy stalled is replaced too, as long as its delivery is open.
            connection.execute(
                "delete from files where path = :path and origin = :origin and delivery is null"
                f" and state not in {_any_of(TAKEN)}"
                " and not (size = :size and mtime_ns = :mtime_ns and inode = :inode)",
                values,
            )
            check_change(_state(connection, f"select state from files where {SAME}", values), state)
            connection.execute(
                f"insert into files ({', '.join(values)}) values ({', '.join(f':{key}' for key in values)})"
                f" on conflict (path, size, mtime_ns, inode, origin) do update set {changed}",
                values,
            )

    def move(self, ids: Sequence[int], state: FileState, reason: str, run_id: str | None) -> None:
        """Give several entries a new state in one transaction.

        Raises:
            IllegalChange: One of them cannot get it from the one it has; none is changed then.
        """
        with self._file.writing() as connection:
            for entry in ids:
                check_change(_state(connection, "select state from files where id = ?", (entry,)), state)
            connection.executemany(
                "update files set state = ?, reason = ?, run_id = ?, updated_at = ? where id = ?",
                [(state, reason, run_id, now(), entry) for entry in ids],
            )

    def mark_gone(self, path: Path) -> None:
        """A file of the inbox that was not read yet has vanished."""
        with self._file.writing() as connection:
            connection.execute(
                "update files set state = ?, reason = 'vanished before it was read', updated_at = ?"
                f" where path = ? and origin = ? and state in {_any_of(UNREAD)}",
                (FileState.GONE, now(), writable_name(path), INBOX),
            )

    def forget(self, path: Path) -> None:
        """Strike out what was noted about a folder that could not be read and now can."""
        with self._file.writing() as connection:
            connection.execute(
                "delete from files where path = ? and origin = ? and state = ?",
                (writable_name(path), INBOX, FileState.FAILED),
            )

    def unsettled(self) -> list[str]:
        """The paths of the inbox that are noted and not settled yet: still changing, or to be tried again."""
        rows = self._file.rows(
            f"select path from files where origin = ? and state in {_any_of(UNREAD)} order by id", (INBOX,)
        )
        return [str(row["path"]) for row in rows]

    def has_open(self) -> bool:
        """Whether a delivery is open: anything was read that belongs to none yet."""
        states = _any_of(FINAL - {FileState.QUEUED})
        return bool(
            self._file.rows(f"select 1 from files where delivery is null and state in {states} limit 1")
        )

    def counts(self) -> dict[str, int]:
        """How many of the inbox's files are in each state."""
        return counts(str(self.path))

    def with_content(self, sha256: str) -> Entry | None:
        """An entry with this content that was accepted or queued before."""
        return self._one(
            f"select * from files where sha256 = ? and state in {_any_of(TAKEN)} order by id limit 1",
            (sha256,),
        )

    def open_delivery(self) -> list[Entry]:
        """Accepted files that belong to no delivery yet."""
        return self._all(
            "select * from files where state = ? and delivery is null order by id", (FileState.ACCEPTED,)
        )

    def staged_folders(self) -> set[str]:
        """Staging folders that an accepted file still needs."""
        rows = self._file.rows(
            "select staged from files where state = ? and staged is not null", (FileState.ACCEPTED,)
        )
        return {str(row["staged"]) for row in rows}

    def bystanders(self) -> list[Entry]:
        """Files that arrived with the open delivery but give nothing to train on."""
        return self._all(
            f"select * from files where state in {_any_of(BYSTANDERS)} and delivery is null order by id"
        )

    def assign(self, ids: Sequence[int], delivery: str) -> None:
        """Close a delivery: these files, and no others, are it."""
        with self._file.writing() as connection:
            connection.executemany(
                "update files set delivery = ? where id = ?", [(delivery, entry) for entry in ids]
            )

    def of_delivery(self, delivery: str) -> list[Entry]:
        """All files of one delivery."""
        return self._all("select * from files where delivery = ? order by id", (delivery,))

    def closing_deliveries(self) -> list[str]:
        """Deliveries that were closed but have no run on record: the daemon died in between."""
        rows = self._file.rows(
            "select distinct delivery from files where state = ? and delivery is not null",
            (FileState.ACCEPTED,),
        )
        return [str(row["delivery"]) for row in rows]

    def entries(self, states: Sequence[FileState] = (), limit: int = 1000) -> list[Entry]:
        """The newest entries, newest last; only those in one of `states` if any are named."""
        where = f"where state in {_any_of(states)}" if states else ""
        found = self._all(f"select * from files {where} order by id desc limit ?", (limit,))
        return found[::-1]

    def _all(self, query: str, values: Any = ()) -> list[Entry]:
        return [Entry.from_row(row) for row in self._file.rows(query, values)]

    def _one(self, query: str, values: Any) -> Entry | None:
        return next(iter(self._all(query, values)), None)


def _identity(path: Path, stamp: Stamp, origin: str) -> dict[str, Any]:
    """What makes a row of the table its own; the keys are those of `SAME`."""
    looked_like = {"size": stamp.size, "mtime_ns": stamp.mtime_ns, "inode": stamp.inode}
    return {"path": writable_name(path), **looked_like, "origin": origin}


def _state(connection: sqlite3.Connection, query: str, values: Any) -> FileState | None:
    row = connection.execute(query, values).fetchone()
    return FileState(row["state"]) if row else None
