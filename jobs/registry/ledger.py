"""The registry's ledger: one line for each activation, each line holding the hash of the line before.

A line is the canonical JSON (sorted keys, no spaces, ASCII) of
`{"sequence", "time", "event", ..., "previous", "sha256"}`: `previous` is the SHA-256 of the former line's
bytes (64 zeros in the first), `sha256` the hash of the line itself without that key. The first finds every
changed, removed, added or moved line but the last; the second finds a change in the last. Whole lines cut
off the end leave a chain that is good in itself; CURRENT then disagrees with it (`jobs.registry.current`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.errors import OperatorError
from jobs.fs.files import fsync_fd, fsync_folder

LEDGER_NAME = "ledger.jsonl"
GENESIS = "0" * 64
_OWN_KEYS = ("sequence", "time", "previous", "sha256")


def append_to_ledger(path: Path, event: Mapping[str, Any]) -> dict[str, Any]:
    """Add one line and force it onto the disk; the caller holds the registry's lock.

    Args:
        path: The ledger's file, created where it is missing.
        event: What happened: JSON values under keys that are not the chain's own.

    Returns:
        The line as written.

    Raises:
        OperatorError: The ledger is damaged; nothing was added, since that would bury the damage.
    """
    if taken := sorted(set(event) & set(_OWN_KEYS)):
        raise ValueError(f"A ledger line's own keys cannot be given: {taken}.")
    mend(path)
    lines, _ = _split(path)
    record = {**event, "sequence": len(lines) + 1, "time": datetime.now(UTC).isoformat()}
    record["previous"] = _sha256(lines[-1]) if lines else GENESIS
    record["sha256"] = _sha256(_canonical(record))
    _append(path, _canonical(record) + b"\n")
    return record


def read_ledger(path: Path) -> list[dict[str, Any]]:
    """Every complete line, oldest first; empty where there is no ledger yet.

    Raises:
        OperatorError: The chain does not hold.
    """
    lines, _ = _split(path)
    if problems := _chain_problems(lines):
        raise OperatorError(
            f"The ledger {path} was changed: {problems[0]}.",
            "Put a copy of it back from your backup, or move it away to begin a new one.",
        )
    return [json.loads(line) for line in lines]


def verify_ledger(path: Path) -> list[str]:
    """Everything wrong with the chain, in words; empty is good (no ledger yet is good, too)."""
    lines, tail = _split(path)
    problems = _chain_problems(lines)
    if tail:
        problems.append(f"line {len(lines) + 1} is incomplete: its writer was killed, or it was cut")
    return problems


def mend(path: Path) -> None:
    """Complete or cut off a last line without its end; the caller holds the registry's lock.

    A line that lacks nothing but its newline is kept (editors strip it). Anything else was never
    acknowledged to anybody, since the writer had not returned, and nothing was done because of it.

    Raises:
        OperatorError: The lines before it do not hold.
    """
    read_ledger(path)
    lines, tail = _split(path)
    if not tail:
        return
    previous = _sha256(lines[-1]) if lines else GENESIS
    if _line_problem(tail, len(lines) + 1, previous) is None:
        _append(path, b"\n")
        return
    with path.open("r+b") as stream:
        stream.truncate(path.stat().st_size - len(tail))
        fsync_fd(stream.fileno())


def _split(path: Path) -> tuple[list[bytes], bytes]:
    """The complete lines without their newlines, and what stands after the last newline."""
    if not path.exists():
        return [], b""
    *lines, tail = path.read_bytes().split(b"\n")
    return lines, tail


def _append(path: Path, data: bytes) -> None:
    created = not path.exists()
    with path.open("ab") as stream:
        stream.write(data)
        stream.flush()
        fsync_fd(stream.fileno())
    if created:
        path.chmod(0o600)
        fsync_folder(path.parent)


def _chain_problems(lines: list[bytes]) -> list[str]:
    problems = []
    previous = GENESIS
    for number, line in enumerate(lines, start=1):
        if problem := _line_problem(line, number, previous):
            problems.append(f"line {number} {problem}")
        previous = _sha256(line)
    return problems


def _line_problem(line: bytes, number: int, previous: str) -> str | None:
    try:
        record = json.loads(line)
    except ValueError:
        return "is not JSON"
    if not isinstance(record, dict) or _canonical(record) != line:
        return "is not written the way the ledger writes"
    claimed = record.pop("sha256", None)
    if claimed != _sha256(_canonical(record)):
        return "does not have the hash it states"
    if record.get("previous") != previous:
        return "does not follow the line before it"
    return None if record.get("sequence") == number else f"is numbered {record.get('sequence')}"


def _canonical(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
