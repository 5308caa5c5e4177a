"""What parent and child agree on: the files in a child's work folder, and exit codes that say something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobs.errors import JobError, error_class

REQUEST = "request.json"
RECEIPT = "receipt.json"
PROGRESS = "progress.jsonl"
LOCK = "child.lock"
OUTPUT = "child.out"
EXIT_BUSY = 75  # EX_TEMPFAIL: somebody else holds one of the locks
EXIT_FULL = 73  # EX_CANTCREAT: the disk is full, so not even a receipt could be written


def error_of(told: Mapping[str, Any]) -> JobError:
    """An error as it crossed the process boundary: `kind`, `message`, `remedy` and `traceback`."""
    error = error_class(told["kind"])(told["message"], told["remedy"])
    if told["traceback"]:
        error.add_note(told["traceback"])
    return error
