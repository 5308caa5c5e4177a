"""Which run goes first: the manifest's priority decides, and what runs is left alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import tasks
from jobs.children import life, parent
from jobs.fs import files
from jobs.pipeline import chain, control, priority, step_table
from jobs.pipeline.chain import Outcome
from jobs.pipeline.context import Host, Job
from jobs.runs.delivery import Delivery
from jobs.runs.status import PowerReason, Remedy
from jobs.runs.store import Run, RunStore
from jobs.runs.waiting import (
    WaitingFor,
    WaitingForDevice,
    WaitingForDisk,
    WaitingForEarlierRun,
    WaitingForNetwork,
    WaitingForPerson,
    WaitingForPower,
)


@pytest.fixture
def prioritised(make_run: Callable[..., Run]) -> Callable[..., Run]:
    count = iter(range(100))

    def make(priority: int = 0, status: str = "queued", reason: str | None = None) -> Run:
        run = make_run(delivery=f"p{next(count)}")
        with run.driving("test"):
            run.manifest.priority = priority
            run.manifest.status = status  # type: ignore[assignment]
            run.manifest.status_reason = reason
            run.save()
        return run

    return make


@pytest.fixture
def device_steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each step asks for the device and writes down whose turn it was."""
    done: list[str] = []
    monkeypatch.setattr(parent, "drive", lambda task, *rest: {})

    def work(job: Job) -> Sequence[Path]:
        job.child("some.module", {})
        done.append(job.run.run_id)
        return []

    for name, row in step_table.STEPS.items():
        monkeypatch.setitem(step_table.STEPS, name, replace(row, do=work))
    return done


@pytest.mark.slow
def test_of_three_waiting_runs_the_urgent_one_goes_first(
    store: RunStore, host: Host, prioritised: Callable[..., Run], device_steps: list[str]
) -> None:
    runs = [prioritised(0), prioritised(-10), prioritised(10)]
    messages = [run.run_id for run in runs]
    advance = tasks.advance_with(
        store, host, lambda run_id: messages.append(run_id) if run_id not in messages else None
    )
    while messages:
        advance(messages.pop(0))
    order = list(dict.fromkeys(device_steps))
    assert order == [runs[2].run_id, runs[0].run_id, runs[1].run_id]
    steps = len(step_table.STEP_NAMES)
    assert device_steps == [run_id for run_id in order for _ in range(steps)]  # none between another's steps
    assert {run.manifest.status for run in store.list()[0]} == {"completed"}


def test_a_run_that_is_behind_says_for_whom_it_waits(
    prioritised: Callable[..., Run], host: Host, device_steps: list[str]
) -> None:
    low, high = prioritised(0), prioritised(5)
    with low.driving("test"):
        assert chain.advance(low, host) is Outcome.WAITING
    assert low.manifest.status_reason == f"{high.run_id} goes first, its priority is higher"
    assert low.manifest.step("parse").failures == 0


def test_what_runs_is_not_interrupted(
    prioritised: Callable[..., Run], host: Host, device_steps: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    low = prioritised(0)
    prioritised(5)
    ended: list[Path] = []
    monkeypatch.setattr(life, "living", lambda work: 4711)
    monkeypatch.setattr(parent, "end", ended.append)
    job = Job(low, low.settings(), host, "train_1")
    with low.driving("test"):
        assert job.child("some.module", {}) == {}  # adopted although an urgent run waits
        assert job.look(device=True) is False
    assert ended == []


@pytest.mark.parametrize(
    ("status", "waiting_for", "goes_first"),
    [
        ("queued", None, True),
        ("in_progress", None, True),
        ("waiting", WaitingForDevice("pid 1"), True),
        ("waiting", WaitingForPower(PowerReason.QUIET_HOURS, "07:00"), True),
        ("waiting", WaitingForEarlierRun("another"), True),
        ("waiting", WaitingForNetwork("parse", "no answer"), False),
        ("waiting", WaitingForDisk(what="parse", folder="/models", missing_bytes=1_200_000_000), False),
        ("waiting", None, False),  # written by a version that told it in words alone; asked again soon
        ("paused", WaitingForPerson("this", Remedy.RESUME), False),
        ("needs_attention", WaitingForPerson("this", Remedy.RETRY), False),
        ("completed", None, False),
    ],
)
@pytest.mark.parametrize("words", ["the device is in use", "waits for 1 GB on the disk", ""])
def test_only_a_run_that_could_use_the_device_holds_others_up_whatever_its_words(
    prioritised: Callable[..., Run],
    store: RunStore,
    status: str,
    waiting_for: WaitingFor | None,
    goes_first: bool,
    words: str,
) -> None:
    low, high = prioritised(0), prioritised(5)
    with high.driving("test"):
        high.manifest.status = status  # type: ignore[assignment]
        high.manifest.waiting_for = waiting_for
        high.manifest.status_reason = words
        high.save()
    assert priority.before(store, low) == (high.run_id if goes_first else None)
    assert priority.before(store, high) is None


def test_runs_of_one_priority_do_not_hold_each_other_up(
    prioritised: Callable[..., Run], store: RunStore
) -> None:
    first, second = prioritised(3), prioritised(3)
    assert priority.before(store, first) is None
    assert priority.before(store, second) is None
    assert [run.run_id for run in priority.in_order(store.list()[0])] == [first.run_id, second.run_id]


def test_the_reconciler_rings_for_the_urgent_first(prioritised: Callable[..., Run], store: RunStore) -> None:
    runs = [prioritised(0), prioritised(-1), prioritised(7)]
    assert tasks.undriven_runs(store) == [runs[2].run_id, runs[0].run_id, runs[1].run_id]


def test_a_priority_that_is_wished_reaches_the_manifest_at_the_next_step_or_while_it_runs(
    prioritised: Callable[..., Run], host: Host, device_steps: list[str], store: RunStore
) -> None:
    run = prioritised(0)
    control.ask_priority(run.folder, 7)
    with run.driving("test"):
        chain.advance(run, host)
    assert store.open(run.run_id).manifest.priority == 7
    assert control.asked_priority(run.folder) is None
    control.ask_priority(run.folder, -7)
    with run.driving("test"):
        Job(run, run.settings(), host, "train_1").look(device=True)
    assert store.open(run.run_id).manifest.priority == -7
    told = [row for row in files.read_jsonl(run.folder.events) if row["event"] == "priority"]
    assert [row["priority"] for row in told] == [7, -7]


def test_the_priority_of_a_delivery_is_its_runs(store: RunStore, settings: object) -> None:
    run = store.create(settings, Delivery("d", (), priority=9), ["parse"], lambda folder: None)  # type: ignore[arg-type]
    assert store.open(run.run_id).manifest.priority == 9


def test_a_held_device_ends_the_low_and_the_high_alike(
    prioritised: Callable[..., Run], host: Host, device_steps: list[str]
) -> None:
    run = prioritised(50)
    held = Host(
        host.models_dir,
        host.state_dir,
        pause_reason=lambda: WaitingForPower(PowerReason.QUIET_HOURS, "07:00"),
    )
    with run.driving("test"), pytest.raises(control.MustWait, match="quiet hours"):
        Job(run, run.settings(), held, "train_1").child("some.module", {})
