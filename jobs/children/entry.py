"""The child's side of a child process: take the lock, do the task, leave a receipt.

A child is told its work folder and nothing else. It holds the folder's lock (and the device's, where
it was asked to) for its whole life: lock busy means alive, receipt means done, neither means dead.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from jobs import diagnosis
from jobs.children.protocol import EXIT_BUSY, EXIT_FULL, LOCK, PROGRESS, RECEIPT, REQUEST
from jobs.children.request import from_json
from jobs.fs import files
from jobs.fs.locks import Holder

Payload = TypeVar("Payload")


class TaskStopped(Exception):
    """A task was asked to end and has, in good order: it leaves no receipt, and goes on from what it left."""


@dataclass(frozen=True)
class Assignment(Generic[Payload]):
    """What a child was asked to do.

    Args:
        work: Its scratch folder.
        payload: The task's own request; its hash is the receipt's key.
        log: The run's log file; lines appended here are seen by whoever follows the run.
        facts: What every log line carries (run, step).
    """

    work: Path
    payload: Payload
    log: Path
    facts: dict[str, Any]

    def report(self, **facts: Any) -> None:
        """Tell the daemon how far this is; the numbers end up in the manifest's progress."""
        files.append_jsonl(self.work / PROGRESS, facts)

    def say(self, event: str, level: str = "info", **facts: Any) -> None:
        """Write one line into the run's log."""
        files.append_jsonl(
            self.log,
            {
                "timestamp": _clock(),
                "level": level,
                "event": event,
                **self.facts,
                "pid": os.getpid(),
                **facts,
            },
        )


def main(task: Callable[[Assignment[Payload]], dict[str, Any]], kind: type[Payload]) -> None:
    """Run `task` as the process's whole purpose and exit.

    Args:
        task: Gets the assignment, returns the JSON-able result that goes into the receipt, or raises
            TaskStopped.
        kind: What its request is; one that is not of this kind is a failure like any other.
    """
    try:
        _main(task, kind, Path(sys.argv[1]))
    except OSError as error:
        if not diagnosis.is_full(error):
            raise
        os._exit(EXIT_FULL)


def _main(task: Callable[[Assignment[Payload]], dict[str, Any]], kind: type[Payload], work: Path) -> None:
    with contextlib.ExitStack() as stack:
        request = _take_locks(work, stack)
        if (work / RECEIPT).exists():  # requests are written without one: a late twin has done this work
            os._exit(0)
        try:
            receipt = attempt(task, kind, assignment_in(request, work))
        except TaskStopped:
            leave(0)
        files.write_json(work / RECEIPT, {"key": request["key"], **receipt})
        leave(0 if receipt["status"] == "done" else 1)


def leave(code: int) -> NoReturn:
    """Exit without running interpreter shutdown.

    What was written is durable, and MLX and pyarrow threads have been seen to crash on the way out, which
    would look like a failure.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _take_locks(work: Path, stack: contextlib.ExitStack) -> dict[str, Any]:
    """The request, read under the lock: before it, another daemon might still be replacing it."""
    pid = os.getpid()
    try:
        stack.enter_context(files.FileLock(work / LOCK, str(Holder(pid))))
        request: dict[str, Any] = files.read_json(work / REQUEST)
        holder = Holder(pid, *(str(value) for value in request["facts"].values()))
        for path in request["locks"]:
            stack.enter_context(files.FileLock(Path(path), str(holder)))
    except files.LockBusy:
        sys.exit(EXIT_BUSY)
    return request


def assignment_in(request: Mapping[str, Any], work: Path) -> Assignment[dict[str, Any]]:
    """The assignment that a request file holds, its payload still plain JSON."""
    return Assignment(work, request["payload"], Path(request["log"]), request["facts"])


def attempt(
    task: Callable[[Assignment[Payload]], dict[str, Any]],
    kind: type[Payload],
    assignment: Assignment[dict[str, Any]],
) -> dict[str, Any]:
    """Do the task; its result, or why there is none, as a receipt tells it.

    Args:
        task: Gets the assignment with its payload as a `kind`.
        kind: What the payload is.
        assignment: With the payload as it was written.

    Raises:
        TaskStopped: The task was asked to end.
    """
    try:
        return {"status": "done", "result": task(_check_payload(assignment, kind))}
    except TaskStopped:
        raise
    except Exception as error:  # the one place where a bug of ours becomes a record instead of a dead pid
        failure = _failure(error, assignment.work)
    with _room_or_not():
        assignment.say("failed", level="error", error=failure["message"])
    return {"status": "failed", "error": failure}


def _check_payload(assignment: Assignment[dict[str, Any]], kind: type[Payload]) -> Assignment[Payload]:
    payload = from_json(kind, assignment.payload)
    return Assignment(assignment.work, payload, assignment.log, assignment.facts)


@contextlib.contextmanager
def _room_or_not() -> Iterator[None]:
    """For what the receipt says as well, and needs no second word on a full disk."""
    try:
        yield
    except OSError as error:
        if not diagnosis.is_full(error):
            raise


def _failure(error: Exception, work: Path) -> dict[str, Any]:
    known = diagnosis.of_exception(error, work)
    if known is not None:
        return {"kind": known.kind, "message": known.message, "remedy": known.remedy, "traceback": None}
    text = f"{type(error).__name__}: {error}"
    return {"kind": "bug", "message": text, "remedy": "", "traceback": traceback.format_exc()}


def _clock() -> str:
    moment = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment * 1000) % 1000:03d}Z"
