"""Which findings are in a run already, whatever report they came in."""

from __future__ import annotations

import json
from collections.abc import Iterable

from daemon.inbox.file_state import FileState
from daemon.inbox.ledger_file import LedgerFile


class SeenFindings:
    """The ledger's memory of findings."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def remember(self, sha256: str, findings: Iterable[str]) -> None:
        """Keep which findings a content holds; they count as seen once it is in a run."""
        with self._file.writing() as connection:
            connection.executemany(
                "insert or ignore into findings (finding, sha256) values (?, ?)",
                [(finding, sha256) for finding in findings],
            )

    def count_unseen(self, findings: Iterable[str]) -> int:
        """How many of these findings are in no run yet."""
        (row,) = self._file.rows(
            "select count(*) as number from json_each(?) as asked where not exists (select 1 from findings"
            " join files on files.sha256 = findings.sha256"
            " where findings.finding = asked.value and files.state = ?)",
            (json.dumps(sorted(set(findings))), FileState.QUEUED),
        )
        return int(row["number"])
