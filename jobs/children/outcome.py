"""What became of a task: its receipt, or why there is none."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from jobs import diagnosis
from jobs.children import life, protocol
from jobs.errors import ChildFailed, DiskFull, JobError
from jobs.fs import files

PRINTED = 20_000  # characters of a child's last words that are looked through for the cause of its death


class State(Enum):
    """Where a task is."""

    ABSENT = "its folder does not hold its request: never asked for, or other work took its place"
    RUNNING = "a child works on it"
    DONE = "its receipt holds the result"
    FAILED = "its receipt says why there is no result"
    DEAD = "its child ended without a receipt"


@dataclass(frozen=True)
class Outcome:
    """Where a task is, its result if it is done, and its error if it failed or its child died."""

    state: State
    result: dict[str, Any] | None = None
    error: JobError | None = None


def outcome_of(work: Path, key: str) -> Outcome:
    """Tell what became of a task from what its child left; whoever knows the key may ask.

    Args:
        work: The child's work folder.
        key: The task's key.
    """
    process = life.own(work)  # its exit code is known to its parent alone
    request = life.request_in(work)
    if request is None or request["key"] != key:
        return Outcome(State.ABSENT)
    if life.is_alive(work):
        return Outcome(State.RUNNING)
    receipt = read_receipt(work, key)
    if receipt is None:
        return Outcome(
            State.DEAD, error=_death(request["module"], work, process.returncode if process else None)
        )
    if receipt["status"] == "done":
        return Outcome(State.DONE, result=dict(receipt["result"]))
    return Outcome(State.FAILED, error=protocol.error_of(receipt["error"]))


def read_receipt(work: Path, key: str) -> dict[str, Any] | None:
    """The receipt of the task with this key, if its child left one."""
    try:
        receipt = dict(files.read_json(work / protocol.RECEIPT))
    except FileNotFoundError:
        return None
    return receipt if receipt["key"] == key else None


def result_in(work: Path, key: str) -> dict[str, Any] | None:
    """The result of a task that is done; None if it is not."""
    receipt = read_receipt(work, key)
    return dict(receipt["result"]) if receipt is not None and receipt["status"] == "done" else None


def _death(module: str, work: Path, code: int | None) -> JobError:
    if code == protocol.EXIT_FULL:
        return DiskFull("The disk is full: the child could not even leave a receipt.", diagnosis.DISK.remedy)
    words = f"{module} ended without a receipt{_how(code)}. Its last words: {_last_words(work)}"
    where = f"All it printed is in {work / protocol.OUTPUT}."
    known = diagnosis.of_death(code, _printed(work), work)
    if known is None:
        return ChildFailed(words, where)
    return type(known)(f"{known.message} ({words})", f"{known.remedy} {where}")


def _how(code: int | None) -> str:
    if code is None:
        return ""
    if code < 0:
        return f" (killed by {signal.Signals(-code).name})"
    return f" (exit code {code})"


def _last_words(work: Path, limit: int = 600) -> str:
    return " ".join(_printed(work)[-limit:].split()) or "none"


def _printed(work: Path) -> str:
    path = work / protocol.OUTPUT
    return path.read_text(encoding="utf-8", errors="replace")[-PRINTED:] if path.exists() else ""
