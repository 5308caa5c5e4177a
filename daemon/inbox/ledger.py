"""The inbox ledger: every file that was ever seen, its state and the reason, in one SQLite file.

States: `settling` (still changing, or a partial download), `accepted` (read, its delivery is still
open), `queued` (in a run), `refused` (no report), `duplicate` (same content as before), `nothing` (a
report without findings), `failed` (a fault of ours or of the machine; tried again), `gone`.

A file has one row for the inbox and one for each `sectune submit` that named it (its origin is then
the delivery), so that a second look at a file never overwrites what became of the first.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.inbox.ledger_counts import INBOX as INBOX
from daemon.inbox.ledger_counts import counts
from jobs.clock import now

FINAL = frozenset({"queued", "refused", "duplicate", "nothing", "accepted"})
TABLE = """
create table if not exists files (
    id integer primary key,
    path text not null, size integer not null, mtime_ns integer not null, inode integer not null,
    sha256 text, state text not null, reason text not null default '', tool text, findings integer,
    members text not null default '[]', staged text, delivery text, run_id text,
    origin text not null default 'inbox', first_seen text not null, updated_at text not null,
    unique (path, size, mtime_ns, inode, origin)
)
"""
FINDINGS = """
create table if not exists findings (
    finding text not null, sha256 text not null, primary key (finding, sha256)
) without rowid
"""
PRIORITIES = """
create table if not exists priorities (delivery text primary key, priority integer not null) without rowid
"""
INDEXES = (
    "create index if not exists files_sha256 on files (sha256)",
    "create index if not exists files_delivery on files (delivery)",
)


@dataclass(frozen=True)
class Stamp:
    """What a file looked like: when one of these changes, it is another content."""

    size: int
    mtime_ns: int
    inode: int


@dataclass(frozen=True)
class Entry:
    """One file as the ledger knows it."""

    id: int
    path: str
    size: int
    sha256: str | None
    state: str
    reason: str
    tool: str | None
    findings: int | None
    members: tuple[dict[str, Any], ...]
    staged: str | None
    delivery: str | None
    run_id: str | None
    first_seen: str
    updated_at: str

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return {**self.__dict__, "members": list(self.members)}


def shown(path: Path) -> str:
    """A path as it can be written: a name of bytes that are no UTF-8 gets question marks."""
    return str(path).encode("utf-8", "replace").decode("utf-8")


class Ledger:
    """The ledger's file.

    Args:
        path: The SQLite file; it is created.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._shared = threading.local()
        with closing(self._connect()) as connection:
            connection.execute("pragma journal_mode=wal")
        with self._writing() as connection:
            connection.execute(TABLE)
            connection.execute(FINDINGS)
            connection.execute(PRIORITIES)
            for statement in INDEXES:
                connection.execute(statement)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Let this thread's uses share a connection and its writes a commit: no storm of commits.

        Not for long: from the first write to the end, other processes wait for theirs. What was written
        stays written whatever ends the block; each write by itself is whole or absent.
        """
        connection = self._connect()
        self._shared.connection = connection
        try:
            yield
        finally:
            self._shared.connection = None
            try:
                connection.commit()
            finally:
                connection.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma synchronous=full")
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        shared: sqlite3.Connection | None = getattr(self._shared, "connection", None)
        # Without `together` a connection per use: threads and processes share the file; uses are rare.
        connection = shared or self._connect()
        try:
            if not connection.in_transaction:
                connection.execute("begin immediate")
            connection.execute("savepoint one")
            try:
                yield connection
            except BaseException:
                connection.execute("rollback to one")
                raise
            finally:
                connection.execute("release one")
            if shared is None:
                connection.commit()
        finally:
            if shared is None:
                connection.close()

    def known(self, path: Path, stamp: Stamp) -> Entry | None:
        """The inbox's entry of exactly this content at this place, if there is one."""
        return self._one(
            "select * from files where path = ? and size = ? and mtime_ns = ? and inode = ? and origin = ?",
            (shown(path), stamp.size, stamp.mtime_ns, stamp.inode, INBOX),
        )

    def note(self, path: Path, stamp: Stamp, state: str, reason: str = "", **facts: Any) -> None:
        """Record a file's state.

        Args:
            path: Where it is.
            stamp: What it looked like.
            state: One of the states above.
            reason: In words a person can act on.
            facts: Any of sha256, tool, findings, members, staged, delivery, run_id, origin.
        """
        if "members" in facts:
            facts["members"] = json.dumps(facts["members"], ensure_ascii=False)
        values = {
            "path": shown(path),
            "size": stamp.size,
            "mtime_ns": stamp.mtime_ns,
            "inode": stamp.inode,
            "state": state,
            "reason": reason,
            "origin": INBOX,
            "first_seen": now(),
            "updated_at": now(),
            **facts,
        }
        changed = ", ".join(f"{key} = excluded.{key}" for key in ("state", "reason", "updated_at", *facts))
        with self._writing() as connection:
            # An earlier look at an unfinished content of the same place has come to nothing; one that was
            # refused while its copy stalled is replaced too, as long as its delivery is open.
            connection.execute(
                "delete from files where path = :path and origin = :origin and delivery is null"
                " and state not in ('accepted', 'queued')"
                " and not (size = :size and mtime_ns = :mtime_ns and inode = :inode)",
                values,
            )
            connection.execute(
                f"insert into files ({', '.join(values)}) values ({', '.join(f':{key}' for key in values)})"
                f" on conflict (path, size, mtime_ns, inode, origin) do update set {changed}",
                values,
            )

    def move(self, ids: Sequence[int], state: str, reason: str, run_id: str | None) -> None:
        """Give several entries a new state in one transaction."""
        with self._writing() as connection:
            connection.executemany(
                "update files set state = ?, reason = ?, run_id = ?, updated_at = ? where id = ?",
                [(state, reason, run_id, now(), entry) for entry in ids],
            )

    def mark_gone(self, path: Path) -> None:
        """A file of the inbox that was not read yet has vanished."""
        with self._writing() as connection:
            connection.execute(
                "update files set state = 'gone', reason = 'vanished before it was read', updated_at = ?"
                " where path = ? and origin = ? and state in ('settling', 'failed')",
                (now(), shown(path), INBOX),
            )

    def forget(self, path: Path) -> None:
        """Strike out what was noted about a folder that could not be read and now can."""
        with self._writing() as connection:
            connection.execute(
                "delete from files where path = ? and origin = ? and state = 'failed'", (shown(path), INBOX)
            )

    def unsettled(self) -> list[str]:
        """The paths of the inbox that are noted and not settled yet: still changing, or to be tried again."""
        rows = self._rows(
            "select path from files where origin = ? and state in ('settling', 'failed') order by id",
            (INBOX,),
        )
        return [str(row["path"]) for row in rows]

    def has_open(self) -> bool:
        """Whether a delivery is open: anything was read that belongs to none yet."""
        states = "'accepted', 'refused', 'nothing', 'duplicate'"
        return bool(self._rows(f"select 1 from files where delivery is null and state in ({states}) limit 1"))

    def counts(self) -> dict[str, int]:
        """How many of the inbox's files are in each state."""
        return counts(str(self.path))

    def with_content(self, sha256: str) -> Entry | None:
        """An entry with this content that was accepted or queued before."""
        return self._one(
            "select * from files where sha256 = ? and state in ('accepted', 'queued') order by id limit 1",
            (sha256,),
        )

    def remember(self, sha256: str, findings: Iterable[str]) -> None:
        """Keep which findings a content holds; they count as seen once it is in a run."""
        with self._writing() as connection:
            connection.executemany(
                "insert or ignore into findings (finding, sha256) values (?, ?)",
                [(finding, sha256) for finding in findings],
            )

    def unseen(self, findings: Iterable[str]) -> int:
        """How many of these findings are in no run yet."""
        rows = self._rows(
            "select count(*) as number from json_each(?) as asked where not exists (select 1 from findings"
            " join files on files.sha256 = findings.sha256"
            " where findings.finding = asked.value and files.state = 'queued')",
            (json.dumps(sorted(set(findings))),),
        )
        return int(rows[0]["number"])

    def open_delivery(self) -> list[Entry]:
        """Accepted files that belong to no delivery yet."""
        return self._all("select * from files where state = 'accepted' and delivery is null order by id")

    def staged_folders(self) -> set[str]:
        """Staging folders that an accepted file still needs."""
        rows = self._rows("select staged from files where state = 'accepted' and staged is not null")
        return {str(row["staged"]) for row in rows}

    def bystanders(self) -> list[Entry]:
        """Files that arrived with the open delivery but give nothing to train on."""
        return self._all(
            "select * from files where state in ('refused', 'nothing', 'duplicate') and delivery is null"
            " order by id"
        )

    def assign(self, ids: Sequence[int], delivery: str) -> None:
        """Close a delivery: these files, and no others, are it."""
        with self._writing() as connection:
            connection.executemany(
                "update files set delivery = ? where id = ?", [(delivery, entry) for entry in ids]
            )

    def prioritise(self, delivery: str, priority: int) -> None:
        """Remember with which priority a delivery's run is to be made, however late that will be."""
        with self._writing() as connection:
            connection.execute(
                "insert or replace into priorities (delivery, priority) values (?, ?)", (delivery, priority)
            )

    def priority(self, delivery: str) -> int:
        """The priority that a delivery was given; 0 if none was."""
        rows = self._rows("select priority from priorities where delivery = ?", (delivery,))
        return int(rows[0]["priority"]) if rows else 0

    def of_delivery(self, delivery: str) -> list[Entry]:
        """All files of one delivery."""
        return self._all("select * from files where delivery = ? order by id", (delivery,))

    def closing_deliveries(self) -> list[str]:
        """Deliveries that were closed but have no run on record: the daemon died in between."""
        rows = self._rows(
            "select distinct delivery from files where state = 'accepted' and delivery is not null"
        )
        return [str(row["delivery"]) for row in rows]

    def entries(self, states: Sequence[str] = (), limit: int = 1000) -> list[Entry]:
        """The newest entries, newest last; only those in one of `states` if any are named."""
        where = f"where state in ({', '.join('?' * len(states))})" if states else ""
        found = self._all(f"select * from files {where} order by id desc limit ?", (*states, limit))
        return found[::-1]

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        shared: sqlite3.Connection | None = getattr(self._shared, "connection", None)
        if shared is not None:
            return shared.execute(query, values).fetchall()
        with closing(self._connect()) as connection:
            return connection.execute(query, values).fetchall()

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[Entry]:
        return [_entry(row) for row in self._rows(query, values)]

    def _one(self, query: str, values: Sequence[Any]) -> Entry | None:
        return next(iter(self._all(query, values)), None)


def _entry(row: sqlite3.Row) -> Entry:
    fields = {key: row[key] for key in Entry.__dataclass_fields__ if key != "members"}
    return Entry(**fields, members=tuple(json.loads(row["members"])))
