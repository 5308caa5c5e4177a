"""What a person asks of a run that somebody else drives, and what ends a step before it is done.

Only the holder of the driver's lock writes the manifest, and a worker of the daemon may hold it for a day:
what is asked of them is a file in the run's folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from jobs.clock import now
from jobs.errors import EndChild, OperatorError
from jobs.fs import files
from jobs.runs.folder import RunFolder
from jobs.runs.waiting import WaitingFor

if TYPE_CHECKING:
    from jobs.runs.store import Run

Request = Literal["pause", "cancel"]


class Requested(EndChild):
    """The driver found a request."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.request: Request = request


class MustWait(EndChild):
    """The step cannot have the device now."""

    def __init__(self, waiting_for: WaitingFor) -> None:
        super().__init__(str(waiting_for))
        self.waiting_for = waiting_for


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


def ask_priority(folder: RunFolder, priority: int) -> None:
    """Leave another priority for whoever drives the run; a later one replaces it."""
    files.write_json(folder.priority_request, {"priority": priority, "at": now()})


def asked_priority(folder: RunFolder) -> int | None:
    """The priority that was left, if any.

    Raises:
        OperatorError: The file holds something else.
    """
    try:
        content = files.read_json(folder.priority_request)
    except FileNotFoundError:
        return None
    except ValueError:
        content = None
    priority = content.get("priority") if isinstance(content, dict) else None
    if type(priority) is not int:
        raise OperatorError(f"{folder.priority_request} holds no priority.", "Delete it, then retry the run.")
    return priority


def take_priority(run: Run) -> bool:
    """Take over the priority that a person left; the caller holds `run.driving()`. True if there was one."""
    priority = asked_priority(run.folder)
    if priority is None:
        return False
    if priority != run.manifest.priority:
        run.manifest.priority = priority
        run.save()
        run.event("priority", priority=priority)
    run.folder.priority_request.unlink(missing_ok=True)
    return True


def withdraw(folder: RunFolder) -> bool:
    """Take the request back; False if there was none."""
    there = folder.control.exists()
    folder.control.unlink(missing_ok=True)
    return there
