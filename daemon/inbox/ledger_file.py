"""The inbox ledger's SQLite file: opened at this version, written a whole thing at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from daemon.inbox.migrations import migrate, refuse_newer


class LedgerFile:
    """A SQLite file that threads and processes share.

    Args:
        path: The file; it is created, or brought to this version.

    Raises:
        OperatorError: A newer sectune wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._shared = threading.local()
        with closing(self._connect()) as connection:
            refuse_newer(connection, str(path))  # before anything of it is changed
            connection.execute("pragma journal_mode=wal")
            migrate(connection, path)

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

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One write: whole or absent, whatever ends the block."""
        shared = self._of_this_thread()
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

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """What a query finds."""
        if (shared := self._of_this_thread()) is not None:
            return shared.execute(query, values).fetchall()
        with closing(self._connect()) as connection:
            return connection.execute(query, values).fetchall()

    def _of_this_thread(self) -> sqlite3.Connection | None:
        return getattr(self._shared, "connection", None)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma synchronous=full")
        return connection
