"""A child whose request is a struct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jobs.children import entry
from jobs.children.entry import Assignment
from jobs.children.request import Request


class CountRequest(Request, frozen=True, kw_only=True):
    """What it is asked for."""

    what: str
    counter: Path


def run(assignment: Assignment[CountRequest]) -> dict[str, Any]:
    """Tell what was asked for."""
    return {"what": assignment.payload.what, "named": assignment.payload.counter.name}


if __name__ == "__main__":
    entry.main(run, CountRequest)
