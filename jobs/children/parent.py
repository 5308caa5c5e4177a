"""The daemon's side of a child process: start it, adopt it, follow it, take its receipt.

Heavy work (datasets, MLX) never runs in the daemon. A child has a session of its own, so it outlives
a killed daemon; the next one finds the lock busy and follows the same child to its receipt.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs import diagnosis
from jobs.children import entry as protocol
from jobs.errors import (
    ChildFailed,
    DeliveryRefused,
    DiskFull,
    EndChild,
    GpuWatchdog,
    JobError,
    ModelMissing,
    NetworkError,
    OperatorError,
    OutOfMemory,
    PermissionMissing,
    Stopped,
)
from jobs.fs import files

POLL_SECONDS = 0.25
PRINTED = 20_000  # characters of a child's last words that are looked through for the cause of its death
END_SECONDS = 120.0  # a step of long examples, or a validation, before the checkpoint
KINDS: dict[str, type[JobError]] = {
    cls.kind: cls
    for cls in (
        DeliveryRefused,
        OperatorError,
        NetworkError,
        DiskFull,
        PermissionMissing,
        ModelMissing,
        OutOfMemory,
        GpuWatchdog,
    )
}


class DeviceBusy(Exception):
    """Another process holds the device; `holder` is what it wrote about itself."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@dataclass(frozen=True)
class Task:
    """What a child is to do.

    Args:
        module: The module that is run with `python -P -m`.
        work: The child's scratch folder.
        payload: Its request; the same payload means the same work, so a receipt for it is an answer.
        log: The run's log.
        facts: What its log lines carry.
        device_lock: The device's lock file, if the child needs the device.
        preload: A shared library for LD_PRELOAD.
    """

    module: str
    work: Path
    payload: Mapping[str, Any]
    log: Path
    facts: Mapping[str, str] = field(default_factory=dict)
    device_lock: Path | None = None
    preload: Path | None = None

    @property
    def key(self) -> str:
        """Identifies this piece of work."""
        return files.sha256_json({"module": self.module, "payload": self.payload})


def drive(
    task: Task, on_progress: Callable[[dict[str, Any]], None], stopping: Callable[[], bool]
) -> dict[str, Any]:
    """See to it that the task is done, and return its result.

    A receipt is taken, a living child adopted, a dead one replaced.

    Raises:
        Stopped: The daemon stops; the child goes on.
        EndChild: Raised by `stopping`; the child has ended.
        DeviceBusy: The device is taken.
        JobError: The child failed, with its own words.
    """
    if (result := _finished(task)) is not None:
        return result
    try:
        process = None if _adoptable(task) else _start(task)
    except files.LockBusy:  # a child that a dead daemon started took its lock only now
        return drive(task, on_progress, stopping)
    try:
        _follow(task, process, on_progress, stopping)
    except EndChild:
        _end(task.work, process)
        raise
    code = process.returncode if process else None
    if code == protocol.EXIT_BUSY:
        return _after_lost_race(task, on_progress, stopping)
    return _receipt(task, code)


def begin(task: Task) -> None:
    """Start the task's child unless it is done or alive; `drive` adopts it later.

    Returns once the child holds its lock, or has ended, so that whoever looks next sees which.

    Raises:
        DeviceBusy: The device is taken.
    """
    if _finished(task) is not None:
        return
    try:
        process = None if _adoptable(task) else _start(task)
    except files.LockBusy:  # a child that a dead daemon started took its lock only now
        begin(task)
        return
    if process is None:
        return
    threading.Thread(target=process.wait, daemon=True).start()  # whoever started it need not outlive it
    while process.poll() is None and living(task.work) != process.pid:
        time.sleep(0.02)
    if process.returncode == protocol.EXIT_BUSY and not works_on(task.work, task.key):
        raise DeviceBusy((task.device_lock and files.lock_holder(task.device_lock)) or "another process")


def works_on(work: Path, key: str) -> bool:
    """Whether a living child in `work` does the task with this key."""
    request = work / protocol.REQUEST
    if living(work) is None or not request.exists():
        return False
    return bool(files.read_json(request)["key"] == key)


def living(work: Path) -> int | None:
    """The process id of the child that works in `work`, if one is alive."""
    holder = files.lock_holder(work / protocol.LOCK)
    if holder is None:
        return None
    words = holder.split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


def stop(work: Path) -> bool:
    """Ask the child that works in `work` to end; True if there was one."""
    pid = living(work)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):  # it ended by itself just now
        os.kill(pid, signal.SIGTERM)
    return True


def end(work: Path, patience: float = END_SECONDS) -> bool:
    """Have the child that works in `work` end, by force if it takes too long; True if there was one.

    Args:
        work: Its scratch folder.
        patience: Seconds it has to save a checkpoint; killed, it loses at most one checkpoint interval.
    """
    if not stop(work):
        return False
    try:
        _wait_for_end(work, patience)
    except ChildFailed:
        if (pid := living(work)) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _wait_for_end(work)
    return True


def _end(work: Path, process: subprocess.Popen[bytes] | None) -> None:
    if process is None:
        end(work)
        return
    process.terminate()  # it may not have its lock yet, so it is ended by its handle
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def forget(work: Path) -> None:
    """Have the work in `work` done again although there is a receipt; partial results are kept."""
    (work / protocol.RECEIPT).unlink(missing_ok=True)


def _finished(task: Task) -> dict[str, Any] | None:
    path = task.work / protocol.RECEIPT
    if not path.exists():
        return None
    receipt = files.read_json(path)
    if receipt["key"] == task.key and receipt["status"] == "done":
        return dict(receipt["result"])
    return None


def _adoptable(task: Task) -> bool:
    if files.lock_holder(task.work / protocol.LOCK) is None:
        return False
    if files.read_json(task.work / protocol.REQUEST)["key"] == task.key:
        return True
    stop(task.work)
    _wait_for_end(task.work)
    return False


def _wait_for_end(work: Path, patience: float = 30.0) -> None:
    deadline = time.monotonic() + patience
    while files.lock_holder(work / protocol.LOCK) is not None:
        if time.monotonic() > deadline:
            raise ChildFailed(f"The child in {work} does not end (pid {living(work)}).", "End it by hand.")
        time.sleep(0.05)


def _start(task: Task) -> subprocess.Popen[bytes]:
    if task.device_lock is not None and (holder := files.lock_holder(task.device_lock)) is not None:
        raise DeviceBusy(holder)
    _prepare(task)
    environment = _environment(task.preload)
    with (task.work / protocol.OUTPUT).open("ab") as output:
        output.truncate(0)  # the last words of an earlier child would be taken for this one's
        return subprocess.Popen(
            [sys.executable, "-P", "-m", task.module, str(task.work)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=task.work,
            start_new_session=True,
        )


def _prepare(task: Task) -> None:
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
    if not request.exists() or files.read_json(request)["key"] != task.key:
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
            "payload": dict(task.payload),
            "log": str(task.log),
            "facts": dict(task.facts),
            "locks": [str(task.device_lock)] if task.device_lock else [],
        },
    )


def _environment(preload: Path | None) -> dict[str, str]:
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


def _follow(
    task: Task,
    process: subprocess.Popen[bytes] | None,
    on_progress: Callable[[dict[str, Any]], None],
    stopping: Callable[[], bool],
) -> None:
    tail = Tail(task.work / protocol.PROGRESS)
    while _alive(task, process):
        if stopping():
            raise Stopped
        if rows := tail.rows():
            on_progress(_merged(rows))
        time.sleep(POLL_SECONDS)
    if rows := tail.rows():
        on_progress(_merged(rows))


def _alive(task: Task, process: subprocess.Popen[bytes] | None) -> bool:
    if process is not None:
        return process.poll() is None
    return files.lock_holder(task.work / protocol.LOCK) is not None


def _merged(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    # Between two looks several reports may have come; the manifest wants the newest of each number.
    merged: dict[str, Any] = {}
    for row in rows:
        merged.update(row)
    return merged


def _after_lost_race(
    task: Task, on_progress: Callable[[dict[str, Any]], None], stopping: Callable[[], bool]
) -> dict[str, Any]:
    if _finished(task) is not None or files.lock_holder(task.work / protocol.LOCK) is not None:
        return drive(task, on_progress, stopping)
    raise DeviceBusy((task.device_lock and files.lock_holder(task.device_lock)) or "another process")


def _receipt(task: Task, code: int | None) -> dict[str, Any]:
    if (result := _finished(task)) is not None:
        return result
    path = task.work / protocol.RECEIPT
    receipt = files.read_json(path) if path.exists() else None
    if receipt is None or receipt["key"] != task.key:
        raise _death(task, code)
    error = receipt["error"]
    raised = KINDS.get(error["kind"], ChildFailed)(error["message"], error["remedy"])
    if error["traceback"]:
        raised.add_note(error["traceback"])
    raise raised


def _death(task: Task, code: int | None) -> JobError:
    if code == protocol.EXIT_FULL:
        return DiskFull("The disk is full: the child could not even leave a receipt.", diagnosis.DISK.remedy)
    words = f"{task.module} ended without a receipt{_how(code)}. Its last words: {_last_words(task.work)}"
    where = f"All it printed is in {task.work / protocol.OUTPUT}."
    known = diagnosis.of_death(code, _printed(task.work), task.work)
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


class Tail:
    """Reads the complete lines that were added to a JSONL file since the last look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def rows(self) -> list[dict[str, Any]]:
        """The new rows; an empty list if there are none, or no file yet."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                data = stream.read()
        except FileNotFoundError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [row for line in complete.splitlines() if (row := _row(line)) is not None]


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:  # torn by a full disk; a report less about the work is no reason to stop the work
        return None
    return row if isinstance(row, dict) else None
