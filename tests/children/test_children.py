"""Children: a receipt is taken, a living child adopted, a dead one replaced; each error arrives in words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.children import entry as protocol
from jobs.children import parent
from jobs.errors import (
    ChildFailed,
    DeliveryRefused,
    DiskFull,
    GpuWatchdog,
    NetworkError,
    OperatorError,
    OutOfMemory,
    Stopped,
)
from jobs.fs import files

CHILD = """
import os, sys, time
from pathlib import Path

time.sleep(float(os.environ.get("TINY_IMPORT_SECONDS", "0")))

from jobs.children import entry
from jobs.errors import DeliveryRefused, NetworkError, OperatorError


def run(assignment):
    payload = assignment.payload
    with open(payload["counter"], "a") as stream:
        stream.write(f"{os.getpid()}\\\\n")
    if (assignment.work / "partial").exists():
        assignment.report(phase="resumed")
    (assignment.work / "partial").write_text("half of it")
    what = payload["what"]
    if what == "refuse":
        raise DeliveryRefused("nothing in it", "deliver more")
    if what == "operator":
        raise OperatorError("a setting is wrong", "mend it")
    if what == "network":
        raise NetworkError("no answer")
    if what == "full disk":
        raise OSError(28, "No space left on device", "/big")
    if what == "bug":
        {}["missing"]
    if what == "die":
        print("my last words", flush=True)
        os.kill(os.getpid(), 9)
    if what == "watchdog":
        print("libc++abi: terminating due to uncaught exception of type std::runtime_error: [METAL] Command "
              "buffer execution failed: Impacting Interactivity "
              "(0000000e:kIOGPUCommandBufferCallbackErrorImpactingInteractivity)", flush=True)
        os.abort()
    if what == "no receipt":
        entry.files.write_json = lambda path, value: (_ for _ in ()).throw(OSError(28, "No space", str(path)))
        return {}
    if what == "exit":
        sys.exit(3)
    if what == "preload":
        return {"LD_PRELOAD": os.environ.get("LD_PRELOAD", "")}
    gate = Path(payload.get("gate") or "/")
    assignment.report(phase="waiting", iteration=1)
    assignment.say("at work")
    while not gate.exists():
        time.sleep(0.02)
    assignment.report(iteration=2, train_loss=0.5)
    return {"answer": payload.get("answer", 42)}


entry.main(run)
"""

World = Callable[..., parent.Task]


@pytest.fixture(autouse=True)
def no_child_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Also keeps every Popen: a daemon leaves children running on purpose, which Python warns about."""
    started: list[subprocess.Popen[bytes]] = []

    class Kept(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(parent.subprocess, "Popen", Kept)
    yield
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Builds tasks of a real child, whose executions are counted in a file."""
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "tiny_child.py").write_text(CHILD.replace("\\\\", "\\"))
    root = Path(parent.__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{modules}{os.pathsep}{root}")
    monkeypatch.setattr(parent, "POLL_SECONDS", 0.02)

    def build(
        what: str = "answer", lock: Path | None = None, preload: Path | None = None, **more: Any
    ) -> Any:
        return parent.Task(
            module="tiny_child",
            work=tmp_path / "work",
            payload={"what": what, "counter": str(tmp_path / "counter"), **more},
            log=tmp_path / "logs" / "run.log",
            facts={"run": "r1", "step": "s1"},
            device_lock=lock,
            preload=preload,
        )

    return build


def drive(task: parent.Task) -> dict[str, Any]:
    return parent.drive(task, lambda facts: None, lambda: False)


def executions(task: parent.Task) -> int:
    path = Path(task.payload["counter"])
    return len(path.read_text().splitlines()) if path.exists() else 0


def wait_until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def left_running(task: parent.Task) -> None:
    """Start a child as a daemon does that stops right after."""
    with pytest.raises(Stopped):
        parent.drive(task, lambda facts: None, lambda: parent.living(task.work) is not None)


def test_a_result_its_progress_and_its_log_arrive(task: World) -> None:
    seen: list[dict[str, Any]] = []
    asked = task()
    assert parent.drive(asked, seen.append, lambda: False) == {"answer": 42}
    assert {key: value for facts in seen for key, value in facts.items()} == {
        "phase": "waiting",
        "iteration": 2,
        "train_loss": 0.5,
    }
    (line,) = files.read_jsonl(asked.log)
    assert (line["event"], line["run"], line["step"], line["level"]) == ("at work", "r1", "s1", "info")


def test_a_receipt_is_taken_without_starting_again(task: World) -> None:
    assert drive(task()) == drive(task()) == {"answer": 42}
    assert executions(task()) == 1


def test_a_forgotten_receipt_has_the_work_done_again(task: World) -> None:
    drive(task())
    parent.forget(task().work)
    assert drive(task()) == {"answer": 42}
    assert executions(task()) == 2


def test_a_living_child_is_adopted_and_its_work_is_done_once(task: World, tmp_path: Path) -> None:
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
    assert len(ended) == 1
    pid = parent.living(asked.work)
    assert pid == int(Path(asked.payload["counter"]).read_text())
    threading.Timer(0.2, (tmp_path / "gate").touch).start()
    seen: list[dict[str, Any]] = []
    assert parent.drive(asked, seen.append, lambda: False) == {"answer": 42}
    assert executions(asked) == 1
    assert seen[-1]["iteration"] == 2
    assert parent.living(asked.work) is None


def test_a_child_still_importing_when_its_daemon_dies_is_not_doubled(
    task: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = task(gate=str(tmp_path / "gate"))
    monkeypatch.setenv("TINY_IMPORT_SECONDS", "0.6")
    with pytest.raises(Stopped):  # the daemon is gone before the child has its lock
        parent.drive(asked, lambda facts: None, lambda: True)
    assert parent.living(asked.work) is None
    threading.Timer(1.5, (tmp_path / "gate").touch).start()
    assert drive(asked) == {"answer": 42}
    assert executions(asked) == 1


def test_a_late_child_does_the_new_request_and_not_the_old_one(
    task: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TINY_IMPORT_SECONDS", "0.6")
    with pytest.raises(Stopped):
        parent.drive(task(answer="old"), lambda facts: None, lambda: True)
    assert drive(task(answer="new")) == {"answer": "new"}
    assert executions(task()) == 1


def test_a_dead_child_is_replaced_and_finds_its_partial_work(task: World) -> None:
    with pytest.raises(ChildFailed):
        drive(task("die"))
    seen: list[dict[str, Any]] = []
    with pytest.raises(ChildFailed):
        parent.drive(task("die"), seen.append, lambda: False)
    assert executions(task()) == 2
    assert seen[0]["phase"] == "resumed"


def test_what_a_killed_child_was_writing_is_swept_away_and_its_partial_work_stays(task: World) -> None:
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


def test_other_work_clears_the_folder_first(task: World) -> None:
    with pytest.raises(ChildFailed):
        drive(task("die"))
    assert (task().work / "partial").exists()
    seen: list[dict[str, Any]] = []
    parent.drive(task(answer="other"), seen.append, lambda: False)
    assert all(facts.get("phase") != "resumed" for facts in seen)


def test_clearing_that_was_killed_halfway_is_completed(task: World) -> None:
    work = files.private_folder(task().work)
    (work / "partial").write_text("of a request that is gone")
    seen: list[dict[str, Any]] = []
    parent.drive(task(), seen.append, lambda: False)
    assert all(facts.get("phase") != "resumed" for facts in seen)


def test_a_living_child_with_other_work_is_ended_first(task: World, tmp_path: Path) -> None:
    left_running(task(gate=str(tmp_path / "never")))
    old = parent.living(task().work)
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


@pytest.mark.parametrize(
    ("what", "kind", "message", "remedy"),
    [
        ("refuse", DeliveryRefused, "nothing in it", "deliver more"),
        ("operator", OperatorError, "a setting is wrong", "mend it"),
        ("network", NetworkError, "no answer", ""),
        (
            "full disk",
            DiskFull,
            "No space left on device: /big.",
            "Free some space on the disk; it goes on by itself.",
        ),
        ("bug", ChildFailed, "KeyError: 'missing'", ""),
    ],
)
def test_a_failed_childs_own_words_arrive(
    task: World, what: str, kind: type[Exception], message: str, remedy: str
) -> None:
    with pytest.raises(kind) as caught:
        drive(task(what))
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.remedy) == (message, remedy)  # type: ignore[attr-defined]
    traceback = "\n".join(getattr(caught.value, "__notes__", []))
    assert ('{}["missing"]' in traceback) == (what == "bug")
    assert any(line["event"] == "failed" for line in files.read_jsonl(task().log))


def test_a_failed_childs_work_is_done_again_when_asked_again(task: World) -> None:
    for count in (1, 2):
        with pytest.raises(OperatorError):
            drive(task("operator"))
        assert executions(task()) == count


def test_a_killed_child_is_reported_with_the_signal_and_its_last_words(task: World) -> None:
    with pytest.raises(ChildFailed, match=r"killed by SIGKILL.*my last words") as caught:
        drive(task("die"))
    assert str(task().work / protocol.OUTPUT) in caught.value.remedy


def test_a_child_that_the_gpu_watchdog_ended_says_what_helps_and_goes_on_from_its_work(task: World) -> None:
    with pytest.raises(GpuWatchdog, match=r"Impacting Interactivity.*killed by SIGABRT") as caught:
        drive(task("watchdog"))
    assert caught.value.retryable
    assert "let the display sleep" in caught.value.remedy
    seen: list[dict[str, Any]] = []
    with pytest.raises(GpuWatchdog):
        parent.drive(task("watchdog"), seen.append, lambda: False)
    assert seen[0]["phase"] == "resumed"


def test_a_killed_child_is_most_likely_out_of_memory(task: World) -> None:
    with pytest.raises(OutOfMemory) as caught:
        drive(task("die"))
    assert caught.value.retryable
    assert "grad_checkpoint" in caught.value.remedy


def test_a_child_without_room_for_a_receipt_says_so_by_its_exit_code(task: World) -> None:
    with pytest.raises(DiskFull, match="receipt"):
        drive(task("no receipt"))
    assert not (task().work / protocol.RECEIPT).exists()


def test_last_words_are_the_last_childs_and_no_earlier_ones(task: World) -> None:
    with pytest.raises(ChildFailed):
        drive(task("die"))
    with pytest.raises(ChildFailed, match=r"exit code 3.*Its last words: none"):
        drive(task("exit"))


def test_a_busy_device_is_said_and_nothing_is_started(task: World, tmp_path: Path) -> None:
    lock = tmp_path / "device.lock"
    with files.FileLock(lock, "pid 1 another run"), pytest.raises(parent.DeviceBusy, match="another run"):
        drive(task(lock=lock))
    assert executions(task()) == 0
    assert drive(task(lock=lock)) == {"answer": 42}


def test_a_child_holds_the_device_for_its_whole_life(task: World, tmp_path: Path) -> None:
    lock = tmp_path / "device.lock"
    asked = task(lock=lock, gate=str(tmp_path / "gate"))
    left_running(asked)
    wait_until(lambda: executions(asked) == 1)
    assert files.lock_holder(lock) == f"pid {parent.living(asked.work)} r1 s1"
    (tmp_path / "gate").touch()
    wait_until(lambda: files.lock_holder(lock) is None)
    assert drive(asked) == {"answer": 42}


def test_losing_the_device_to_somebody_quicker_is_no_failure(
    task: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = tmp_path / "device.lock"
    looks = iter([None])  # when the daemon looked the device was free
    real = files.lock_holder
    monkeypatch.setattr(
        files, "lock_holder", lambda path: next(looks, real(path)) if path == lock else real(path)
    )
    with files.FileLock(lock, "pid 1 quicker"), pytest.raises(parent.DeviceBusy, match="quicker"):
        drive(task(lock=lock))
    assert executions(task()) == 0


def test_a_preloaded_library_reaches_the_child_and_a_missing_one_is_said(task: World, tmp_path: Path) -> None:
    library = tmp_path / "lib.so"
    with pytest.raises(OperatorError, match=r"training\.preload_library"):
        drive(task("preload", preload=library))
    library.write_bytes(b"")  # the loader warns about it and goes on
    assert str(library) in drive(task("preload", preload=library))["LD_PRELOAD"]


def test_the_child_ends_on_request(task: World, tmp_path: Path) -> None:
    asked = task(gate=str(tmp_path / "never"))
    assert parent.stop(asked.work) is False
    threading.Thread(
        target=lambda: (wait_until(lambda: executions(asked) == 1), parent.stop(asked.work)), daemon=True
    ).start()
    with pytest.raises(ChildFailed, match=signal.SIGTERM.name):
        drive(asked)


def test_torn_and_foreign_progress_lines_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    tail = parent.Tail(path)
    assert tail.rows() == []
    path.write_bytes(b'{"iteration": 1}\n{"itera{"iteration": 2}\n[3]\n{"iteration": 4')
    assert tail.rows() == [{"iteration": 1}]
    with path.open("ab") as stream:
        stream.write(b"}\n")
    assert tail.rows() == [{"iteration": 4}]
    assert tail.rows() == []


def test_the_same_request_has_one_key_and_another_request_another(task: World) -> None:
    assert task(a=1, b=2).key == task(b=2, a=1).key
    assert task(a=1).key != task(a=2).key
    assert json.loads(json.dumps(dict(task().payload))) == task().payload
