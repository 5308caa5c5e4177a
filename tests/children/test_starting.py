"""Starting a child: a receipt is taken, a living child adopted, a dead one replaced, a busy device said."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.children import life, parent, protocol
from jobs.children.task import DeviceBusy, Task
from jobs.errors import (
    ChildFailed,
    EndChild,
    OperatorError,
    Stopped,
)
from jobs.fs import files, locks

Tasks = Callable[..., Task]
Drive = Callable[[Task], dict[str, Any]]
Count = Callable[[Task], int]
Wait = Callable[..., None]
Leave = Callable[[Task], None]
NextDaemon = Callable[[], None]


def test_a_receipt_is_taken_without_starting_again(task: Tasks, drive: Drive, executions: Count) -> None:
    assert drive(task()) == drive(task()) == {"answer": 42}
    assert executions(task()) == 1


@pytest.mark.slow
def test_a_forgotten_receipt_has_the_work_done_again(task: Tasks, drive: Drive, executions: Count) -> None:
    drive(task())
    parent.forget(task().work)
    assert drive(task()) == {"answer": 42}
    assert executions(task()) == 2


@pytest.mark.slow
def test_a_living_child_is_adopted_and_its_work_is_done_once(
    task: Tasks, tmp_path: Path, executions: Count, wait_until: Wait, next_daemon: NextDaemon
) -> None:
    asked = task(gate=str(tmp_path / "gate"))
    stopping = threading.Event()
    ended: list[BaseException] = []

    def first_daemon() -> None:
        try:
            parent.drive(asked, lambda facts: None, stopping.is_set)
        except Stopped as stopped:
            ended.append(stopped)

    thread = threading.Thread(target=first_daemon)
    thread.start()
    wait_until(lambda: executions(asked) == 1)
    stopping.set()
    thread.join()
    next_daemon()
    assert len(ended) == 1
    pid = life.living(asked.work)
    assert pid == int(Path(asked.payload["counter"]).read_text())
    threading.Timer(0.2, (tmp_path / "gate").touch).start()
    seen: list[dict[str, Any]] = []
    assert parent.drive(asked, seen.append, lambda: False) == {"answer": 42}
    assert executions(asked) == 1
    assert seen[-1]["iteration"] == 2
    assert life.living(asked.work) is None


@pytest.mark.slow
def test_a_child_still_importing_when_its_daemon_dies_is_not_doubled(
    task: Tasks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    drive: Drive,
    executions: Count,
    next_daemon: NextDaemon,
) -> None:
    asked = task(gate=str(tmp_path / "gate"))
    monkeypatch.setenv("TINY_IMPORT_SECONDS", "0.6")
    with pytest.raises(Stopped):  # the daemon is gone before the child has its lock
        parent.drive(asked, lambda facts: None, lambda: True)
    next_daemon()
    assert life.living(asked.work) is None
    threading.Timer(1.5, (tmp_path / "gate").touch).start()
    assert drive(asked) == {"answer": 42}
    assert executions(asked) == 1


@pytest.mark.slow
def test_a_late_child_does_the_new_request_and_not_the_old_one(
    task: Tasks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    drive: Drive,
    executions: Count,
    next_daemon: NextDaemon,
) -> None:
    monkeypatch.setenv("TINY_IMPORT_SECONDS", "0.6")
    with pytest.raises(Stopped):
        parent.drive(task(answer="old"), lambda facts: None, lambda: True)
    next_daemon()
    assert drive(task(answer="new")) == {"answer": "new"}
    assert executions(task()) == 1


@pytest.mark.slow
def test_a_dead_child_is_replaced_and_finds_its_partial_work(
    task: Tasks, drive: Drive, executions: Count
) -> None:
    with pytest.raises(ChildFailed):
        drive(task("die"))
    seen: list[dict[str, Any]] = []
    with pytest.raises(ChildFailed):
        parent.drive(task("die"), seen.append, lambda: False)
    assert executions(task()) == 2
    assert seen[0]["phase"] == "resumed"


@pytest.mark.slow
def test_what_a_killed_child_was_writing_is_swept_away_and_its_partial_work_stays(
    task: Tasks, drive: Drive
) -> None:
    with pytest.raises(ChildFailed):
        drive(task("die"))
    cut = [task().work / name for name in (".receipt.json.0123abcd.tmp", ".checkpoint.tmp.safetensors")]
    for path in cut:
        path.write_text("half")
    seen: list[dict[str, Any]] = []
    with pytest.raises(ChildFailed):
        parent.drive(task("die"), seen.append, lambda: False)
    assert seen[0]["phase"] == "resumed"
    assert not any(path.exists() for path in cut)


@pytest.mark.slow
def test_other_work_clears_the_folder_first(task: Tasks, drive: Drive) -> None:
    with pytest.raises(ChildFailed):
        drive(task("die"))
    assert (task().work / "partial").exists()
    seen: list[dict[str, Any]] = []
    parent.drive(task(answer="other"), seen.append, lambda: False)
    assert all(facts.get("phase") != "resumed" for facts in seen)


def test_clearing_that_was_killed_halfway_is_completed(task: Tasks) -> None:
    work = files.private_folder(task().work)
    (work / "partial").write_text("of a request that is gone")
    seen: list[dict[str, Any]] = []
    parent.drive(task(), seen.append, lambda: False)
    assert all(facts.get("phase") != "resumed" for facts in seen)


@pytest.mark.slow
def test_a_living_child_with_other_work_is_ended_first(
    task: Tasks, tmp_path: Path, drive: Drive, wait_until: Wait, left_running: Leave
) -> None:
    left_running(task(gate=str(tmp_path / "never")))
    old = life.living(task().work)
    assert drive(task(answer="new")) == {"answer": "new"}
    assert old is not None
    wait_until(lambda: not _alive(old))


def _alive(pid: int) -> bool:
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        return False
    return True


def test_a_busy_device_is_said_and_nothing_is_started(
    task: Tasks, tmp_path: Path, drive: Drive, executions: Count
) -> None:
    lock = tmp_path / "device.lock"
    with files.FileLock(lock, "pid 1 another run"), pytest.raises(DeviceBusy, match="another run"):
        drive(task(lock=lock))
    assert executions(task()) == 0
    assert drive(task(lock=lock)) == {"answer": 42}


def test_a_child_holds_the_device_for_its_whole_life(
    task: Tasks, tmp_path: Path, drive: Drive, executions: Count, wait_until: Wait, left_running: Leave
) -> None:
    lock = tmp_path / "device.lock"
    asked = task(lock=lock, gate=str(tmp_path / "gate"))
    left_running(asked)
    wait_until(lambda: executions(asked) == 1)
    assert files.lock_holder(lock) == f"pid {life.living(asked.work)} r1 s1"
    (tmp_path / "gate").touch()
    wait_until(lambda: files.lock_holder(lock) is None)
    assert drive(asked) == {"answer": 42}


@pytest.mark.slow
def test_losing_the_device_to_somebody_quicker_is_no_failure(
    task: Tasks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drive: Drive, executions: Count
) -> None:
    lock = tmp_path / "device.lock"
    looks = iter([None])  # when the daemon looked the device was free
    real = locks.lock_holder
    monkeypatch.setattr(
        locks, "lock_holder", lambda path: next(looks, real(path)) if path == lock else real(path)
    )
    with files.FileLock(lock, "pid 1 quicker"), pytest.raises(DeviceBusy, match="quicker"):
        drive(task(lock=lock))
    assert executions(task()) == 0


def test_a_preloaded_library_reaches_the_child_and_a_missing_one_is_said(
    task: Tasks, tmp_path: Path, drive: Drive
) -> None:
    library = tmp_path / "lib.so"
    with pytest.raises(OperatorError, match=r"training\.preload_library"):
        drive(task("preload", preload=library))
    library.write_bytes(b"")  # the loader warns about it and goes on
    assert str(library) in drive(task("preload", preload=library))["LD_PRELOAD"]


def test_the_child_ends_on_request(
    task: Tasks, tmp_path: Path, drive: Drive, executions: Count, wait_until: Wait
) -> None:
    asked = task(gate=str(tmp_path / "never"))
    assert parent.stop(asked.work) is False
    threading.Thread(
        target=lambda: (wait_until(lambda: executions(asked) == 1), parent.stop(asked.work)), daemon=True
    ).start()
    with pytest.raises(ChildFailed, match=signal.SIGTERM.name):
        drive(asked)


def test_the_same_request_has_one_key_and_another_request_another(task: Tasks) -> None:
    assert task(a=1, b=2).key == task(b=2, a=1).key
    assert task(a=1).key != task(a=2).key
    assert json.loads(json.dumps(dict(task().payload))) == task().payload


@pytest.mark.slow
def test_a_child_that_is_still_importing_is_waited_for_and_not_started_twice(
    task: Tasks, monkeypatch: pytest.MonkeyPatch, drive: Drive, executions: Count
) -> None:
    monkeypatch.setenv("TINY_IMPORT_SECONDS", "0.6")
    with pytest.raises(Stopped):
        parent.drive(task(), lambda facts: None, lambda: True)
    first = life.own(task().work)
    assert drive(task()) == {"answer": 42}
    assert life.own(task().work) is first
    assert executions(task()) == 1


def test_a_child_that_is_to_end_before_it_has_its_lock_is_ended(
    task: Tasks, monkeypatch: pytest.MonkeyPatch, executions: Count
) -> None:
    monkeypatch.setenv("TINY_IMPORT_SECONDS", "60")

    def end() -> bool:
        raise EndChild

    with pytest.raises(EndChild):
        parent.drive(task(), lambda facts: None, end)
    process = life.own(task().work)
    assert process is not None
    assert process.returncode == -signal.SIGTERM
    assert not life.is_alive(task().work)
    assert executions(task()) == 0


def test_a_started_child_has_its_locks_when_start_returns(task: Tasks, tmp_path: Path, drive: Drive) -> None:
    lock = tmp_path / "device.lock"
    asked = task(lock=lock, gate=str(tmp_path / "gate"))
    parent.start(asked)
    process = life.own(asked.work)
    assert process is not None
    assert locks.lock_holder(lock) == f"pid {process.pid} r1 s1"
    assert life.living(asked.work) == process.pid
    (tmp_path / "gate").touch()
    assert drive(asked) == {"answer": 42}
    parent.start(asked)  # done: nothing is started again
    assert life.own(asked.work) is process


@pytest.mark.slow
def test_a_race_that_is_always_lost_has_an_end(
    task: Tasks, monkeypatch: pytest.MonkeyPatch, executions: Count
) -> None:
    work = files.private_folder(task().work)
    monkeypatch.setattr(life, "is_alive", lambda folder: False)  # each look comes too early
    with files.FileLock(work / protocol.LOCK, "pid 1"), pytest.raises(ChildFailed, match="10 times"):
        parent.start(task())
    assert executions(task()) == 0
