"""Pause, cancel, resume, retry from a step, and waiting for power: the child ends first, nothing is lost."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import tasks
from jobs.children import follow, life, parent
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.pipeline import chain, control, steering, step_table
from jobs.pipeline.chain import Outcome
from jobs.pipeline.context import Host, Job
from jobs.runs.manifest import Output
from jobs.runs.status import PowerReason
from jobs.runs.store import Run, RunStore
from jobs.runs.waiting import WaitingForPower

CHILD = """
import os, signal, sys, time
from pathlib import Path
from jobs.children import entry

def run(assignment):
    kept = assignment.work / "checkpoint"
    begun = int(kept.read_text()) if kept.exists() else 0
    if assignment.payload["stubborn"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for number in range(begun, 10_000):
        draft = kept.with_name("draft")
        draft.write_text(str(number + 1))
        draft.replace(kept)
        assignment.report(iteration=number + 1, iterations=10_000)
        if Path(assignment.payload["gate"]).exists():
            return {"began_at": begun}
        time.sleep(0.02)

entry.main(run, dict)
"""


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def run(make_run: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: Path) -> Run:
    """A run whose first step is a child that counts until the gate opens, and whose others do nothing."""
    (tmp_path / "slowchild.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.02)

    def slow(job: Job) -> Sequence[Path]:
        stubborn = (tmp_path / "stubborn").exists()
        result = job.child("slowchild", {"gate": str(gate), "stubborn": stubborn})
        files.write_json(job.folder.findings.parent / "began.json", result)
        return []

    def nothing(job: Job) -> Sequence[Path]:
        return []

    for name, row in step_table.STEPS.items():
        monkeypatch.setitem(step_table.STEPS, name, replace(row, do=slow if name == "parse" else nothing))
    run = make_run()
    files.private_folder(run.folder.findings.parent)
    return run


class Driver:
    """A worker of the daemon, in a thread."""

    def __init__(self, run: Run, host: Host) -> None:
        self.run, self.host = run, host
        self.outcome: Outcome | None = None
        self._thread = threading.Thread(target=self._drive)
        self._thread.start()
        until(lambda: (run.folder.work("parse") / "checkpoint").exists())

    def _drive(self) -> None:
        with self.run.driving("test"):
            self.outcome = chain.advance(self.run, self.host)

    def join(self) -> Outcome | None:
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()
        return self.outcome


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def drive(run: Run, host: Host) -> Outcome:
    with run.driving("test"):
        return chain.advance(run, host)


def count(run: Run) -> int:
    return int((run.folder.work("parse") / "checkpoint").read_text())


@pytest.mark.slow
@pytest.mark.parametrize(("request_", "status"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_request_ends_the_child_first_and_is_then_on_record(
    run: Run, host: Host, request_: control.Request, status: str
) -> None:
    driver = Driver(run, host)
    control.ask(run.folder, request_)
    assert driver.join() is Outcome.ENDED
    assert run.manifest.status == status
    assert "sectune runs" in (run.manifest.status_reason or "")
    assert life.living(run.folder.work("parse")) is None
    assert run.manifest.step("parse").status == "pending"
    assert run.manifest.step("parse").failures == 0
    assert control.asked(run.folder) is None
    assert drive(run, host) is Outcome.ENDED  # a stray message changes nothing


@pytest.mark.slow
def test_a_paused_run_goes_on_where_its_child_was(run: Run, host: Host, gate: Path) -> None:
    driver = Driver(run, host)
    until(lambda: count(run) > 5)
    control.ask(run.folder, "pause")
    driver.join()
    reached = count(run)
    with run.driving("test"):
        steering.resume(run)
    assert run.manifest.status == "queued"
    gate.touch()
    assert drive(run, host) is Outcome.NEXT
    assert files.read_json(run.folder.findings.parent / "began.json") == {"began_at": reached}


def outlive_the_daemon(run: Run, host: Host) -> None:
    stop = threading.Event()
    first = Driver(run, replace(host, stopping=stop.is_set))
    stop.set()
    assert first.join() is Outcome.STOPPED
    gc.collect()  # the handle of a child that goes on warns when it is dropped: here, not in a later test
    assert life.living(run.folder.work("parse")) is not None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_child_that_was_adopted_is_ended_as_well(run: Run, host: Host) -> None:
    outlive_the_daemon(run, host)
    adopting = threading.Thread(target=lambda: drive(run, host))
    adopting.start()
    time.sleep(0.2)
    control.ask(run.folder, "cancel")
    adopting.join(timeout=20)
    assert life.living(run.folder.work("parse")) is None
    assert run.manifest.status == "cancelled"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_the_next_daemon_ends_a_living_child_of_a_run_that_is_to_be_cancelled(run: Run, host: Host) -> None:
    outlive_the_daemon(run, host)
    control.ask(run.folder, "cancel")
    assert drive(run, host) is Outcome.ENDED
    assert run.manifest.status == "cancelled"
    assert life.living(run.folder.work("parse")) is None


@pytest.mark.slow
def test_a_child_that_does_not_listen_is_killed(
    run: Run, host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "END_SECONDS", 0.3)
    (tmp_path / "stubborn").touch()
    driver = Driver(run, host)
    control.ask(run.folder, "pause")
    driver.join()
    assert run.manifest.status == "paused"
    assert life.living(run.folder.work("parse")) is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_stubborn_child_of_another_daemon_is_killed_as_well(run: Run, host: Host, tmp_path: Path) -> None:
    (tmp_path / "stubborn").touch()
    outlive_the_daemon(run, host)
    assert parent.end(run.folder.work("parse"), patience=0.2)
    assert life.living(run.folder.work("parse")) is None
    assert not parent.end(run.folder.work("parse"))


@pytest.mark.slow
def test_a_run_waits_with_the_reason_while_the_device_is_held_and_goes_on_afterwards(
    run: Run, host: Host, gate: Path, store: RunStore
) -> None:
    reasons: list[WaitingForPower] = []
    held = replace(host, pause_reason=lambda: reasons[-1] if reasons else None)
    driver = Driver(run, held)
    reasons.append(WaitingForPower(PowerReason.BATTERY))
    assert driver.join() is Outcome.WAITING
    assert (run.manifest.status, run.manifest.status_reason) == (
        "waiting",
        "the machine runs on its battery (power.on_battery)",
    )
    assert run.manifest.waiting_for == WaitingForPower(PowerReason.BATTERY)
    assert life.living(run.folder.work("parse")) is None
    before = run.manifest.step("parse").attempts
    assert drive(run, held) is Outcome.WAITING
    assert run.manifest.step("parse").attempts == before
    assert tasks.undriven_runs(store, held=reasons[0]) == []
    others = WaitingForPower(PowerReason.LOW_POWER_MODE)
    assert tasks.undriven_runs(store, held=others) == [run.run_id]
    assert tasks.undriven_runs(store) == tasks.waiting_runs(store) == [run.run_id]
    reasons.clear()
    gate.touch()
    assert drive(run, held) is Outcome.NEXT


def test_a_damaged_request_is_an_operators_error_and_names_the_file(run: Run) -> None:
    for text in ("{", "[]", '{"request": "explode"}', '{"request": ["pause"]}'):
        run.folder.control.write_text(text)
        with pytest.raises(OperatorError, match=r"control\.json"):
            control.asked(run.folder)
    assert control.withdraw(run.folder)
    assert not control.withdraw(run.folder)


def ended(run: Run, status: str = "completed") -> Run:
    with run.driving("test"):
        for step in run.manifest.steps:
            step.status = "succeeded"
            step.outputs = [Output(path="./x", sha256="0" * 64, bytes=1)]
            files.private_folder(run.folder.work(step.name))
            files.write_text(run.folder.work(step.name) / "receipt.json", "{}")
        run.manifest.stage1.status = run.manifest.stage2.status = "succeeded"
        run.manifest.status = status  # type: ignore[assignment]
        run.manifest.total_duration_seconds = 5.0
        run.save()
    return run


def test_a_retry_from_a_step_does_it_and_all_after_it_anew_and_keeps_what_came_before(run: Run) -> None:
    ended(run)
    with run.driving("test"):
        assert steering.retry(run, "dataset_2") == "dataset_2"
    by_status = {name: run.manifest.step(name).status for name in step_table.STEP_NAMES}
    first = step_table.STEP_NAMES.index("dataset_2")
    assert [by_status[name] for name in step_table.STEP_NAMES] == ["succeeded"] * first + ["pending"] * (
        len(step_table.STEP_NAMES) - first
    )
    assert run.folder.work("train_1").exists()
    assert not run.folder.work("train_2").exists()
    assert (run.manifest.stage1.status, run.manifest.stage2.status) == ("succeeded", "pending")
    assert run.manifest.total_duration_seconds is None
    assert run.manifest.step("fuse").outputs == []


def test_only_steps_that_can_be_done_now_can_be_retried_from(run: Run, make_run: Callable[..., Run]) -> None:
    with pytest.raises(ValueError, match="pause it first"):
        steering.to_retry(run, "parse")
    ended(run)
    with pytest.raises(ValueError, match="no step bake"):
        steering.to_retry(run, "bake")
    with pytest.raises(ValueError, match="nothing to retry"):
        steering.to_retry(run)
    run.manifest.step("train_1").status = "failed"
    run.manifest.status = "needs_attention"
    with pytest.raises(ValueError, match="train_2 needs train_1"):
        steering.to_retry(run, "train_2")
    assert steering.to_retry(run)[0] == "train_1"


def test_a_cancelled_run_can_be_taken_up_again_and_only_a_paused_one_resumed(run: Run) -> None:
    with run.driving("test"):
        steering.obey(run, "cancel")
        with pytest.raises(ValueError, match="cancelled, not paused"):
            steering.resume(run)
        assert steering.retry(run) == "parse"
    assert run.manifest.status == "queued"


@pytest.mark.slow
def test_the_end_of_a_run_is_told_once(run: Run, host: Host, store: RunStore, gate: Path) -> None:
    gate.touch()
    told: list[str] = []
    messages = [run.run_id]
    advance = tasks.advance_with(
        store, host, messages.append, lambda ended: told.append(ended.manifest.status)
    )
    while messages:
        advance(messages.pop(0))
    advance(run.run_id)
    assert told == ["completed"]


@pytest.mark.slow
def test_a_child_dies_of_the_signal_that_asks_it_to_end(run: Run, host: Host) -> None:
    driver = Driver(run, host)
    pid = life.living(run.folder.work("parse"))
    control.ask(run.folder, "pause")
    driver.join()
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
