"""How an inbox ledger of an earlier version becomes one of this version.

SQLite's `user_version` is the number of migrations that a file has seen. A new migration goes to the end of
the list and never changes an older one. Until it is started again, an older daemon goes on with the file that
a newer command has migrated, so its statements must still be good: add columns with a default, and tables.

Nothing heavy is imported: `sectune status` asks for the version.
"""

from __future__ import annotations

import sqlite3

TYPE_CHECKING = False  # see config/cache.py
if TYPE_CHECKING:
    from pathlib import Path

FILES = """
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
# The first makes the tables of a new file, and leaves those be that were made before files had a version.
MIGRATIONS: tuple[tuple[str, ...], ...] = ((FILES, FINDINGS, PRIORITIES, *INDEXES),)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring a ledger to this version, in one transaction: whatever happens, it is the old file or the new.

    Args:
        connection: To the ledger, outside of a transaction.
        path: Its file, for the message.

    Raises:
        OperatorError: A newer sectune wrote it.
    """
    if version_of(connection) == len(MIGRATIONS):  # as nearly always; this takes no lock
        return
    connection.execute("begin immediate")
    try:
        refuse_newer(connection, str(path))  # asked under the lock: another process may have been first
        for statements in MIGRATIONS[version_of(connection) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"pragma user_version = {len(MIGRATIONS)}")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def version_of(connection: sqlite3.Connection) -> int:
    """How many migrations a ledger has seen."""
    return int(connection.execute("pragma user_version").fetchone()[0])


def refuse_newer(connection: sqlite3.Connection, path: str) -> None:
    """See to it that this version understands a ledger.

    Raises:
        OperatorError: A newer sectune wrote it.
    """
    version = version_of(connection)
    if version <= len(MIGRATIONS):
        return
    from jobs.errors import OperatorError

    name = path.rpartition("/")[2]
    raise OperatorError(
        f"{name} was written by a newer sectune: version {version}, this one knows {len(MIGRATIONS)}.",
        f"Install that sectune again, or move {path} away: without it the inbox is read anew.",
    )
