"""With which priority a delivery's run is to be made, however late that will be."""

from __future__ import annotations

from daemon.inbox.ledger_file import LedgerFile


class Priorities:
    """The ledger's memory of priorities."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def set(self, delivery: str, priority: int) -> None:
        """Remember a delivery's priority."""
        with self._file.writing() as connection:
            connection.execute(
                "insert or replace into priorities (delivery, priority) values (?, ?)", (delivery, priority)
            )

    def of(self, delivery: str) -> int:
        """The priority that a delivery was given; 0 if none was."""
        rows = self._file.rows("select priority from priorities where delivery = ?", (delivery,))
        return int(rows[0]["priority"]) if rows else 0
