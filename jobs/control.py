"""What a person asks of a run that somebody else drives: a request, left in the run's folder.

Only the holder of the driver's lock writes the manifest, and a worker of the daemon may hold it for a day.
"""

from __future__ import annotations

from typing import Literal, get_args

from jobs import files
from jobs.errors import EndChild, OperatorError
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import now

Request = Literal["pause", "cancel"]


class Requested(EndChild):
    """The driver found a request."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.request: Request = request


def ask(folder: RunFolder, request: Request) -> None:
    """Leave a request for whoever drives the run; a later one replaces it."""
    files.write_json(folder.control, {"request": request, "at": now()})


def asked(folder: RunFolder) -> Request | None:
    """The request that was left, if any.

    Raises:
        OperatorError: The file holds something else.
    """
    try:
        content = files.read_json(folder.control)
    except FileNotFoundError:
        return None
    except ValueError:
        content = None
    request: Request | None = content.get("request") if isinstance(content, dict) else None
    if request not in get_args(Request):
        raise OperatorError(f"{folder.control} is no request of ours.", "Delete it, then retry the run.")
    return request


def withdraw(folder: RunFolder) -> bool:
    """Take the request back; False if there was none."""
    there = folder.control.exists()
    folder.control.unlink(missing_ok=True)
    return there
