"""How many files of the inbox are in each state, asked of the ledger's file without opening a ledger."""

from __future__ import annotations

import sqlite3

from daemon.inbox.migrations import refuse_newer

INBOX = "inbox"
COUNTS = "select state, count(*) from files where origin = ? group by state order by state"


def counts(ledger: str) -> dict[str, int]:
    """How many of the inbox's files are in each state.

    Args:
        ledger: The ledger's SQLite file, which is there; nothing in it is changed.

    Raises:
        OperatorError: A newer sectune wrote it.
    """
    try:
        return _counts(sqlite3.connect(ledger, timeout=30), ledger)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "") != "SQLITE_IOERR_SHMSIZE":
            raise
        from urllib.parse import quote

        # A full disk has no room for the file that SQLite's readers share; the ledger itself is whole.
        return _counts(sqlite3.connect(f"file:{quote(ledger)}?mode=ro&immutable=1", uri=True), ledger)


def _counts(connection: sqlite3.Connection, ledger: str) -> dict[str, int]:
    try:
        refuse_newer(connection, ledger)
        return {str(state): int(number) for state, number in connection.execute(COUNTS, (INBOX,))}
    finally:
        connection.close()
