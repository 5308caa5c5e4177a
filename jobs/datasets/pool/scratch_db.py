"""Tables on disk: what a build looks things up in, SQLite with a small cache, so that memory stays flat."""

from __future__ import annotations

import sqlite3
from pathlib import Path

# A scratch table needs no durability: one transaction without end, no journal, no waiting for the disk.
_SCRATCH = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;"
CACHE_KIB = 4_096
_HALF = 1 << 63  # SQLite's integers have a sign, ours have none


def scratch_database(path: Path, schema: str, cache_kib: int | None = None) -> sqlite3.Connection:
    """A database that lives as long as the folder of its file; whatever its size, memory holds the cache.

    Args:
        path: Where to; there is no such file yet.
        schema: Its tables.
        cache_kib: KiB of it that may stay in memory; None takes CACHE_KIB.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript(f"{_SCRATCH} PRAGMA cache_size = -{cache_kib or CACHE_KIB}; {schema}")
    connection.execute("BEGIN")
    return connection


class NumberTable:
    """Numbers of 64 bits without a sign by numbers of 64 bits, as a dict of digests would hold them."""

    def __init__(self, path: Path) -> None:
        self._database = scratch_database(path, "CREATE TABLE held (key INTEGER PRIMARY KEY, value INTEGER)")

    def get(self, key: int) -> int | None:
        """The number kept under a key; None where there is none."""
        found = self._database.execute("SELECT value FROM held WHERE key = ?", (key - _HALF,)).fetchone()
        return None if found is None else int(found[0]) + _HALF

    def put(self, key: int, value: int = 0) -> bool:
        """Keep a number; the first one under a key stays. Whether it was the first."""
        found = self._database.execute(
            "INSERT OR IGNORE INTO held VALUES (?, ?)", (key - _HALF, value - _HALF)
        )
        return found.rowcount > 0

    def __contains__(self, key: int) -> bool:
        return self.get(key) is not None

    def close(self) -> None:
        """Let go of the cache and the file."""
        self._database.close()
