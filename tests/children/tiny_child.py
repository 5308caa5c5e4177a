"""A child that does what its request's `what` says; it takes TINY_IMPORT_SECONDS to import."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from jobs.children import entry
from jobs.children.entry import Assignment, TaskStopped
from jobs.errors import DeliveryRefused, NetworkError, OperatorError

time.sleep(float(os.environ.get("TINY_IMPORT_SECONDS", "0")))

METAL = (
    "libc++abi: terminating due to uncaught exception of type std::runtime_error: [METAL] Command buffer "
    "execution failed: Impacting Interactivity "
    "(0000000e:kIOGPUCommandBufferCallbackErrorImpactingInteractivity)"
)


def run(assignment: Assignment) -> dict[str, Any]:
    """Count this execution, see whether an earlier one left partial work, and do what was asked for."""
    payload = assignment.payload
    with Path(payload["counter"]).open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    if (assignment.work / "partial").exists():
        assignment.report(phase="resumed")
    (assignment.work / "partial").write_text("half of it")
    if payload["what"] in ENDS:
        return ENDS[payload["what"]]()
    return _answer(assignment)


def _answer(assignment: Assignment) -> dict[str, Any]:
    gate = Path(assignment.payload.get("gate") or "/")
    assignment.report(phase="waiting", iteration=1)
    assignment.say("at work")
    while not gate.exists():
        time.sleep(0.02)
    assignment.report(iteration=2, train_loss=0.5)
    return {"answer": assignment.payload.get("answer", 42)}


def _refuse() -> NoReturn:
    raise DeliveryRefused("nothing in it", "deliver more")


def _operator() -> NoReturn:
    raise OperatorError("a setting is wrong", "mend it")


def _network() -> NoReturn:
    raise NetworkError("no answer")


def _full_disk() -> NoReturn:
    raise OSError(28, "No space left on device", "/big")


def _bug() -> Any:
    return {}["missing"]


def _die() -> NoReturn:
    print("my last words", flush=True)  # noqa: T201 - what a child prints is under test
    os.kill(os.getpid(), 9)
    raise AssertionError


def _watchdog() -> NoReturn:
    print(METAL, flush=True)  # noqa: T201 - what a child prints is under test
    os.abort()


def _no_receipt() -> dict[str, Any]:
    def full(path: Path, value: Any) -> None:
        raise OSError(28, "No space", str(path))

    entry.files.write_json = full
    return {}


def _preload() -> dict[str, Any]:
    return {"LD_PRELOAD": os.environ.get("LD_PRELOAD", "")}


def _stop() -> NoReturn:
    raise TaskStopped


ENDS: dict[str, Callable[[], dict[str, Any]]] = {
    "refuse": _refuse,
    "operator": _operator,
    "network": _network,
    "full disk": _full_disk,
    "bug": _bug,
    "die": _die,
    "watchdog": _watchdog,
    "no receipt": _no_receipt,
    "exit": lambda: sys.exit(3),
    "preload": _preload,
    "stop": _stop,
}

if __name__ == "__main__":
    entry.main(run, dict)
