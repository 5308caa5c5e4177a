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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import files
from jobs.errors import SectuneError

REQUEST = "request.json"
RECEIPT = "receipt.json"
PROGRESS = "progress.jsonl"
LOCK = "child.lock"
OUTPUT = "child.out"
EXIT_BUSY = 75  # EX_TEMPFAIL: somebody else holds one of the locks


@dataclass(frozen=True)
class Assignment:
    """What a child was asked to do.

    Args:
        work: Its scratch folder.
        payload: The task's own request; its hash is the receipt's key.
        log: The run's log file; lines appended here are seen by whoever follows the run.
        facts: What every log line carries (run, step).
    """

    work: Path
    payload: dict[str, Any]
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


def main(task: Callable[[Assignment], dict[str, Any]]) -> None:
    """Run `task` as the process's whole purpose and exit.

    Args:
        task: Gets the assignment, returns the JSON-able result that goes into the receipt.
    """
    work = Path(sys.argv[1])
    request = files.read_json(work / REQUEST)
    assignment = Assignment(work, request["payload"], Path(request["log"]), request["facts"])
    holder = f"pid {os.getpid()} {' '.join(str(value) for value in request['facts'].values())}"
    paths = [work / LOCK, *(Path(path) for path in request["locks"])]
    with contextlib.ExitStack() as stack:
        try:
            for path in paths:
                stack.enter_context(files.FileLock(path, holder))
        except files.LockBusy:
            sys.exit(EXIT_BUSY)
        receipt = _attempt(task, assignment)
        files.write_json(work / RECEIPT, {"key": request["key"], **receipt})
        # Leave without running interpreter shutdown: the receipt is durable, and MLX and pyarrow threads
        # have been seen to crash on the way out, which would look like a failure.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0 if receipt["status"] == "done" else 1)


def _attempt(task: Callable[[Assignment], dict[str, Any]], assignment: Assignment) -> dict[str, Any]:
    try:
        return {"status": "done", "result": task(assignment)}
    except SectuneError as error:
        failure = {"kind": error.kind, "message": error.message, "remedy": error.remedy, "traceback": None}
    except Exception as error:  # the one place where a bug of ours becomes a record instead of a dead pid
        text = f"{type(error).__name__}: {error}"
        failure = {"kind": "bug", "message": text, "remedy": "", "traceback": traceback.format_exc()}
    assignment.say("failed", level="error", error=failure["message"])
    return {"status": "failed", "error": failure}


def _clock() -> str:
    moment = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment * 1000) % 1000:03d}Z"
