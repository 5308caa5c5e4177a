"""What a person asks of a run that somebody else drives: a request or a wish, left in the run's folder.

Only the holder of the driver's lock writes the manifest, and a worker of the daemon may hold it for a day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from jobs.errors import EndChild, OperatorError
from jobs.fs import files
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import now

if TYPE_CHECKING:
    from jobs.runs.store import Run

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


def wish(folder: RunFolder, priority: int) -> None:
    """Leave another priority for whoever drives the run; a later one replaces it."""
    files.write_json(folder.wish, {"priority": priority, "at": now()})


def wished(folder: RunFolder) -> int | None:
    """The priority that was left, if any.

    Raises:
        OperatorError: The file holds something else.
    """
    try:
        content = files.read_json(folder.wish)
    except FileNotFoundError:
        return None
    except ValueError:
        content = None
    priority = content.get("priority") if isinstance(content, dict) else None
    if type(priority) is not int:
        raise OperatorError(f"{folder.wish} holds no priority.", "Delete it, then retry the run.")
    return priority


def take_wish(run: Run) -> bool:
    """Take over the priority that a person left; the caller holds `run.driving()`. True if there was one."""
    priority = wished(run.folder)
    if priority is None:
        return False
    if priority != run.manifest.priority:
        run.manifest.priority = priority
        run.save()
        run.event("priority", priority=priority)
    run.folder.wish.unlink(missing_ok=True)
    return True


def withdraw(folder: RunFolder) -> bool:
    """Take the request back; False if there was none."""
    there = folder.control.exists()
    folder.control.unlink(missing_ok=True)
    return there
