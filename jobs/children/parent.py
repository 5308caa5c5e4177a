"""The daemon's side of a child process: start it, adopt it, see it through, end it.

Heavy work (datasets, MLX) never runs in the daemon. A child has a session of its own, so it outlives
a killed daemon; the next one finds the lock busy and follows the same child to its receipt.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.children import life, protocol
from jobs.children.follow import follow
from jobs.children.outcome import result_in
from jobs.children.task import DeviceBusy, Task
from jobs.errors import ChildFailed, EndChild, OperatorError, Stopped
from jobs.fs import files, locks
from jobs.fs.locks import Holder

END_SECONDS = 120.0  # a step of long examples, or a validation, before the checkpoint
SUPERSEDED_SECONDS = 30.0
LOOK_SECONDS = 0.02
ASK_SECONDS = 0.25
RACES = 10  # each one lost means that somebody else took the same lock within one start of Python


def drive(
    task: Task, on_progress: Callable[[dict[str, Any]], None], stopping: Callable[[], bool]
) -> dict[str, Any]:
    """See to it that the task is done, and return its result.

    Args:
        task: What is to be done.
        on_progress: Told the newest of each number that the child reports.
        stopping: Asked a few times a second whether the daemon stops.

    Raises:
        Stopped: The daemon stops; the child goes on.
        EndChild: Raised by `stopping`; the child has ended.
        DeviceBusy: The device is taken.
        JobError: The child failed, with its own words, or died.
    """
    if (result := result_in(task.work, task.key)) is not None:
        return result
    try:
        start(task, stopping)
        outcome = follow(task, on_progress, stopping)
    except EndChild:
        end(task.work)
        raise
    if outcome.error is not None:
        raise outcome.error
    if outcome.result is None:
        raise ChildFailed(f"The request in {task.work} is gone, or another one took its place.")
    return outcome.result


def start(task: Task, stopping: Callable[[], bool] = lambda: False) -> None:
    """See to it that a child works on the task, or has left its receipt.

    A receipt is an answer, a living child is adopted, a dead one replaced. Returns once the child holds its
    locks, or has ended, so that whoever looks next sees which.

    Args:
        task: What is to be done.
        stopping: Asked a few times a second while the child begins; what it raises is passed on.

    Raises:
        Stopped: The daemon stops; the child goes on.
        DeviceBusy: The device is taken.
        ChildFailed: Other work in the folder does not end.
    """
    for _ in range(RACES):
        if result_in(task.work, task.key) is not None:
            return
        try:
            process = _worker(task)
        except files.LockBusy:  # a child that a dead daemon started took its lock only now
            continue
        if process is None:  # adopted
            return
        _wait_for_locks(task, process, stopping)
        if process.returncode != protocol.EXIT_BUSY:
            return
        if result_in(task.work, task.key) is None and not life.is_alive(task.work):
            raise DeviceBusy((task.device_lock and locks.lock_holder(task.device_lock)) or "another process")
    raise ChildFailed(f"The lock in {task.work} was taken by somebody else {RACES} times in a row.")


def _worker(task: Task) -> subprocess.Popen[bytes] | None:
    """The child that does the task, alive already or started now; None for one that somebody else started."""
    if life.is_alive(task.work):
        if life.key_in(task.work) == task.key:
            return life.own_alive(task.work)
        _supersede(task.work)
    return _start(task)


def _wait_for_locks(task: Task, process: subprocess.Popen[bytes], stopping: Callable[[], bool]) -> None:
    lock = task.device_lock or task.work / protocol.LOCK  # the device's is the last that a child takes
    asked = -ASK_SECONDS
    while process.poll() is None and Holder.parse(locks.lock_holder(lock) or "").pid != process.pid:
        if time.monotonic() - asked >= ASK_SECONDS:
            if stopping():
                raise Stopped
            asked = time.monotonic()
        time.sleep(LOOK_SECONDS)


def stop(work: Path) -> bool:
    """Ask the child that works in `work` to end; True if there was one."""
    if (process := life.own_alive(work)) is not None:
        process.terminate()  # it may not have its lock yet, so it is asked by its handle
        return True
    pid = life.living(work)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
        os.kill(pid, signal.SIGTERM)
    return True


def end(work: Path, patience: float | None = None) -> bool:
    """Have the child that works in `work` end, by force if it takes too long; True if there was one.

    Args:
        work: Its scratch folder.
        patience: Seconds it has to save a checkpoint, by default END_SECONDS; killed, it loses at most one
            checkpoint interval.
    """
    if not stop(work):
        return False
    if not _has_ended(work, END_SECONDS if patience is None else patience):
        _kill(work)
        if not _has_ended(work, SUPERSEDED_SECONDS):
            raise _unending(work)
    return True


def _kill(work: Path) -> None:
    process = life.own_alive(work)
    pid = process.pid if process is not None else life.living(work)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _supersede(work: Path) -> None:
    stop(work)
    if not _has_ended(work, SUPERSEDED_SECONDS):
        raise _unending(work)


def _has_ended(work: Path, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while life.is_alive(work):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _unending(work: Path) -> ChildFailed:
    return ChildFailed(f"The child in {work} does not end (pid {life.living(work)}).", "End it by hand.")


def forget(work: Path) -> None:
    """Have the work in `work` done again although there is a receipt; partial results are kept."""
    (work / protocol.RECEIPT).unlink(missing_ok=True)


def _start(task: Task) -> subprocess.Popen[bytes]:
    if task.device_lock is not None and (holder := locks.lock_holder(task.device_lock)) is not None:
        raise DeviceBusy(holder)
    prepare(task)
    environment = child_environment(task.preload)
    with (task.work / protocol.OUTPUT).open("ab") as output:
        output.truncate(0)  # the last words of an earlier child would be taken for this one's
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", task.module, str(task.work)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=task.work,
            start_new_session=True,
        )
    life.remember(task.work, process)
    return process


def prepare(task: Task) -> None:
    """Write the request into the task's folder, and clear what does not belong to it.

    Raises:
        LockBusy: A child works there.
    """
    files.private_folder(task.work)
    files.private_folder(task.log.parent)
    # A child of a dead daemon may still be on its way to this lock (importing MLX takes seconds); it finds
    # the old request, or this one, but nothing in between.
    with files.FileLock(task.work / protocol.LOCK, "the daemon, writing a request"):
        _clear(task)
        _write_request(task)


def _clear(task: Task) -> None:
    """Remove other work's partial results, or they would be mistaken for this one's."""
    request = task.work / protocol.REQUEST
    old = [task.work / name for name in (protocol.RECEIPT, protocol.PROGRESS)]
    old += files.temporaries(task.work)  # what a killed child, or daemon, was writing here
    if life.key_in(task.work) != task.key:
        request.unlink(missing_ok=True)  # first: killed halfway, the next one must clear the rest
        old = [path for path in task.work.iterdir() if path.name != protocol.LOCK]
    for path in old:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _write_request(task: Task) -> None:
    files.write_json(
        task.work / protocol.REQUEST,
        {
            "key": task.key,
            "module": task.module,
            "payload": task.payload_json,
            "log": str(task.log),
            "facts": dict(task.facts),
            "locks": [str(task.device_lock)] if task.device_lock else [],
        },
    )


def child_environment(preload: Path | None) -> dict[str, str]:
    """What a child finds in its environment.

    Args:
        preload: A shared library for LD_PRELOAD.

    Raises:
        OperatorError: There is no such library.
    """
    environment = dict(os.environ)
    environment.setdefault("TOKENIZERS_PARALLELISM", "false")
    environment.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    environment["PYTHONUNBUFFERED"] = "1"
    if preload is not None:
        if not preload.exists():
            raise OperatorError(
                f"training.preload_library names {preload}, which does not exist.",
                "Correct the setting, or set it to null.",
            )
        environment["LD_PRELOAD"] = ":".join(filter(None, [str(preload), environment.get("LD_PRELOAD")]))
    return environment
