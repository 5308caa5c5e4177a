"""Tasks: a message drives one step and enqueues the next; nobody drives a run twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from jobs import tasks
from jobs.errors import NetworkError
from jobs.fs import files
from jobs.pipeline import step_table
from jobs.pipeline.context import Host, Job
from jobs.runs.store import Run, RunStore
from jobs.runs.waiting import WaitingForDevice


@pytest.fixture
def idle_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(job: Job) -> Sequence[Path]:
        return []

    for name, row in step_table.STEPS.items():
        monkeypatch.setitem(step_table.STEPS, name, replace(row, do=nothing))


@pytest.mark.slow
@pytest.mark.usefixtures("idle_steps")
def test_enqueueing_alone_brings_a_run_to_its_end(
    store: RunStore, host: Host, make_run: Callable[..., Run]
) -> None:
    run = make_run()
    messages = [run.run_id]
    advance = tasks.advance_with(store, host, messages.append)
    count = 0
    while messages:
        advance(messages.pop(0))
        count += 1
    assert count == len(step_table.STEP_NAMES)
    assert store.open(run.run_id).manifest.status == "completed"
    assert tasks.undriven_runs(store) == []


@pytest.mark.usefixtures("idle_steps")
def test_a_run_that_is_driven_elsewhere_is_left_alone(
    store: RunStore, host: Host, make_run: Callable[..., Run]
) -> None:
    run = make_run()
    messages: list[str] = []
    with run.driving("somebody"):
        assert tasks.undriven_runs(store) == []
        tasks.advance_with(store, host, messages.append)(run.run_id)
    assert messages == []
    assert store.open(run.run_id).manifest.status == "queued"
    assert tasks.undriven_runs(store) == [run.run_id]


@pytest.mark.usefixtures("idle_steps")
def test_a_stopping_daemon_does_not_enqueue(
    store: RunStore, host: Host, make_run: Callable[..., Run]
) -> None:
    messages: list[str] = []
    tasks.advance_with(store, replace(host, stopping=lambda: True), messages.append)(make_run().run_id)
    assert messages == []


@pytest.mark.usefixtures("idle_steps")
def test_who_waits_for_the_device_is_enqueued_when_a_step_ends_but_not_who_waits_for_the_network(
    store: RunStore, host: Host, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    device, network, other = (make_run(delivery=name) for name in "abc")
    with device.driving("test"):
        device.manifest.status, device.manifest.waiting_for = "waiting", WaitingForDevice("pid 1")
        device.save()

    def offline(job: Job) -> Sequence[Path]:
        raise NetworkError("no answer")

    with monkeypatch.context() as patch:
        patch.setitem(step_table.STEPS, "parse", replace(step_table.STEPS["parse"], do=offline))
        tasks.advance_with(store, host, lambda run_id: None)(network.run_id)
    messages: list[str] = []
    tasks.advance_with(store, host, messages.append)(other.run_id)
    assert messages == [other.run_id, device.run_id]
    assert network.run_id in tasks.undriven_runs(store)


def test_a_message_for_a_run_that_is_gone_or_damaged_is_dropped(
    store: RunStore, host: Host, make_run: Callable[..., Run]
) -> None:
    messages: list[str] = []
    advance = tasks.advance_with(store, host, messages.append)
    advance("never-was")
    run = make_run()
    run.folder.manifest.write_text("{")
    advance(run.run_id)
    assert messages == []
    assert tasks.undriven_runs(store) == []


def test_finished_and_paused_runs_are_not_taken_up(store: RunStore, make_run: Callable[..., Run]) -> None:
    for status in ("completed", "failed", "cancelled", "needs_attention", "paused"):
        run = make_run()
        run.manifest.status = status
        run.save()
    waiting = make_run()
    assert tasks.undriven_runs(store) == [waiting.run_id]
    assert files.lock_holder(waiting.folder.driver_lock) is None
