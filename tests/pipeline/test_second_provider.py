"""The chain trains with any provider that its settings name: nothing depends on what is MLX's own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.job import Problem
from config.settings import Settings
from jobs.fs import files
from jobs.pipeline import chain, control, provider_job, steering, step_table
from jobs.pipeline.chain import Outcome
from jobs.pipeline.context import Host, Job
from jobs.providers.provider import Handle
from jobs.runs.manifest import Step
from jobs.runs.status import PowerReason
from jobs.runs.store import Run, RunStore
from jobs.runs.waiting import WaitingForDevice, WaitingForNetwork, WaitingForPower

SettingsWith = Callable[[Mapping[str, str]], Settings]
BATTERY = WaitingForPower(PowerReason.BATTERY)


@pytest.fixture
def run_with(
    make_run: Callable[..., Run],
    settings_with: SettingsWith,
    base_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    elsewhere: Any,
) -> Callable[..., Run]:
    """Runs in front of their first training; all steps but that one do nothing."""
    monkeypatch.setattr(provider_job, "POLL_SECONDS", 0.02)

    def data(job: Job) -> Sequence[Path]:
        folder = files.private_folder(job.folder.stage1.training_data)
        for part in ("train", "valid", "test"):
            (folder / f"{part}.jsonl").write_text(f'{{"part": "{part}"}}\n')
        job.manifest.provenance.base_model_sha256 = "0" * 64
        return [folder / "train.jsonl"]

    for name, row in step_table.STEPS.items():
        if name != "train_1":
            do = data if name == "dataset_1" else lambda job: []
            monkeypatch.setitem(step_table.STEPS, name, replace(row, do=do))

    def make(host: Host, **changes: str) -> Run:
        settings = settings_with(
            {"training.provider": "elsewhere", **{k.replace("__", "."): v for k, v in changes.items()}}
        )
        run = make_run(settings, delivery=f"d{time.monotonic_ns()}")
        while run.manifest.next_step().name != "train_1":  # type: ignore[union-attr]
            assert advance(run, host) is Outcome.NEXT
        return run

    return make


def advance(run: Run, host: Host) -> Outcome:
    with run.driving("test"):
        return chain.advance(run, host)


def trained(run: Run) -> Step:
    return run.manifest.step("train_1")


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def advance_beside(run: Run, host: Host) -> threading.Thread:
    thread = threading.Thread(target=advance, args=(run, host))
    thread.start()
    return thread


def at_the_gate(run: Run) -> bool:
    return (run.manifest.progress.iteration or 0) >= 10


@pytest.mark.slow
def test_a_job_goes_through_with_all_that_is_recorded_of_it(
    run_with: Callable[..., Run], host: Host, elsewhere: Any
) -> None:
    elsewhere.warning = Problem("schedule.iters", "It counts to 20 whatever is asked for.")
    run = run_with(host, stage1__iters="7")
    assert advance(run, host) is Outcome.NEXT
    params = run.manifest.stage1.training_params
    assert params == {
        "provider": "elsewhere",
        "method": "lora",
        "warnings": ["stage1.iters: It counts to 20 whatever is asked for."],
        "rank": 8,
        "passes": 3,
        "num_iters": 7,
        "quality_weight_multiplier": 2.5,
        "measured": {"tokens_seen": 640, "began_at": 0},
    }
    assert run.manifest.stage1.artifact_types.adapters == "lora"
    names = ["adapters.safetensors", "adapter_config.json", "training_metadata.json", "metrics.jsonl"]
    assert [Path(output.path).name for output in trained(run).outputs] == names
    progress = run.manifest.progress
    assert (progress.iteration, progress.iterations, progress.phase) == (20, 20, "counting")
    assert files.read_json(run.folder.validation(1))["passed"] is True
    assert Handle.load(run.folder.work("train_1")).provider == "elsewhere"  # type: ignore[union-attr]


@pytest.mark.slow
def test_a_done_job_is_not_done_again(run_with: Callable[..., Run], host: Host, elsewhere: Any) -> None:
    run = run_with(host)
    advance(run, host)
    trained(run).status = "pending"  # type: ignore[assignment]
    run.save()
    assert advance(run, host) is Outcome.NEXT
    assert elsewhere.executions(run.folder.work("train_1")) == 1


@pytest.mark.slow
def test_a_failed_job_ends_in_its_own_words_with_the_setting_at_fault(
    run_with: Callable[..., Run], host: Host, elsewhere: Any
) -> None:
    elsewhere.failure = {
        "reason": "Too large for the machines there.",
        "code": "operator",
        "param": "method.lora.rank",
        "remedy": "Lower it.",
        "traceback": "line 1",
    }
    run = run_with(host)
    assert advance(run, host) is Outcome.ENDED
    assert run.manifest.status == "needs_attention"
    error = trained(run).error
    assert error is not None
    assert error.message == "training.lora.rank: Too large for the machines there."
    assert (error.kind, error.remedy, error.traceback) == ("operator", "Lower it.", "line 1")
    assert error.iteration == 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "kind", "outcome"),
    [("network", "network", Outcome.WAITING), ("quota_exceeded", "bug", Outcome.NEXT)],
)
def test_a_failure_is_tried_again_where_that_may_help(
    run_with: Callable[..., Run],
    host: Host,
    elsewhere: Any,
    code: str,
    kind: str,
    outcome: Outcome,
) -> None:
    elsewhere.failure = {"reason": "No luck.", "code": code}
    run = run_with(host)
    assert advance(run, host) is outcome
    error = trained(run).error
    assert error is not None
    assert (error.kind, error.message) == (kind, "No luck.")
    assert error.traceback == ("elsewhere calls it 'quota_exceeded'." if kind == "bug" else None)
    if kind == "network":
        assert run.manifest.waiting_for == WaitingForNetwork("train_1", "No luck.")


@pytest.mark.slow
def test_a_paused_job_is_cancelled_and_goes_on_where_it_was(
    run_with: Callable[..., Run], host: Host, elsewhere: Any
) -> None:
    elsewhere.gate.unlink()
    run = run_with(host)
    thread = advance_beside(run, host)
    until(lambda: at_the_gate(run))
    control.ask(run.folder, "pause")
    thread.join(20)
    work = run.folder.work("train_1")
    assert (run.manifest.status, trained(run).status) == ("paused", "pending")
    assert elsewhere.status(Handle.load(work)).status == "cancelled"
    with run.driving("test"):
        steering.resume(run)
    elsewhere.gate.touch()
    assert advance(run, host) is Outcome.NEXT
    assert run.manifest.stage1.training_params["measured"] == {"tokens_seen": 640, "began_at": 10}
    assert elsewhere.executions(work) == 2


@pytest.mark.slow
def test_a_job_that_a_stopped_daemon_left_is_found_and_also_ended_by_somebody_else(
    run_with: Callable[..., Run], host: Host, elsewhere: Any
) -> None:
    elsewhere.gate.unlink()
    run = run_with(host)
    assert advance(run, replace(host, stopping=lambda: True)) is Outcome.STOPPED
    work = run.folder.work("train_1")
    until(lambda: elsewhere.status(Handle.load(work)).status == "running")
    thread = advance_beside(run, host)  # the next daemon
    until(lambda: at_the_gate(run))
    assert elsewhere.executions(work) == 1
    control.ask(run.folder, "pause")
    thread.join(20)
    with run.driving("test"):
        steering.resume(run)
    assert advance(run, replace(host, stopping=lambda: True)) is Outcome.STOPPED
    until(lambda: elsewhere.status(Handle.load(work)).status == "running")
    with run.driving("a command"):
        steering.obey(run, "cancel")
    assert elsewhere.status(Handle.load(work)).status == "cancelled"


@pytest.mark.slow
def test_a_job_whose_machine_goes_away_is_a_failure_and_the_next_attempt_goes_on_with_it(
    run_with: Callable[..., Run], host: Host, elsewhere: Any
) -> None:
    elsewhere.gate.unlink()
    run = run_with(host)
    thread = advance_beside(run, host)
    until(lambda: at_the_gate(run))
    elsewhere.kill()
    thread.join(20)
    error = trained(run).error
    assert error is not None
    assert (error.kind, error.message, error.remedy) == ("bug", "The machine there went away.", "Wait.")
    assert (error.iteration, trained(run).failures) == (10, 1)
    elsewhere.gate.touch()
    assert advance(run, host) is Outcome.NEXT
    assert run.manifest.stage1.training_params["measured"]["began_at"] == 10


@pytest.mark.slow
def test_only_a_job_on_this_machines_device_waits_for_power_and_for_the_device(
    run_with: Callable[..., Run], host: Host, elsewhere: Any
) -> None:
    on_battery = replace(host, pause_reason=lambda: BATTERY)
    assert advance(run_with(host), on_battery) is Outcome.NEXT
    elsewhere.uses_device = True
    run = run_with(host, training__reuse_stage1="false")
    assert advance(run, on_battery) is Outcome.WAITING
    assert run.manifest.waiting_for == BATTERY
    with files.FileLock(host.device_lock, "pid 1 other train_1"):
        assert advance(run, host) is Outcome.WAITING
    assert run.manifest.waiting_for == WaitingForDevice("pid 1 other train_1")
    assert trained(run).failures == 0
    assert advance(run, host) is Outcome.NEXT


@pytest.mark.slow
def test_a_job_on_the_device_ends_when_the_power_goes(
    run_with: Callable[..., Run], host: Host, elsewhere: Any
) -> None:
    elsewhere.uses_device, powers = True, []
    elsewhere.gate.unlink()
    run = run_with(host)
    thread = advance_beside(run, replace(host, pause_reason=lambda: powers[-1] if powers else None))
    until(lambda: at_the_gate(run))
    powers.append(BATTERY)
    thread.join(20)
    assert run.manifest.waiting_for == BATTERY
    assert elsewhere.status(Handle.load(run.folder.work("train_1"))).status == "cancelled"


@pytest.mark.slow
def test_what_the_provider_refuses_or_did_not_honour_ends_the_step(
    run_with: Callable[..., Run], host: Host, elsewhere: Any
) -> None:
    elsewhere.refusal = Problem("optimizer.learning_rate", "None is honoured.", "Leave it.")
    run = run_with(host)
    assert advance(run, host) is Outcome.ENDED
    assert (trained(run).error.message) == (  # type: ignore[union-attr]
        "elsewhere cannot train stage 1: stage1.learning_rate: None is honoured."
    )
    elsewhere.refusal, elsewhere.rank = None, 4
    run = run_with(host)
    assert advance(run, host) is Outcome.NEXT
    assert (trained(run).error.message) == (  # type: ignore[union-attr]
        "Settings did not arrive in the trainer: rank: asked for 8, used 4"
    )


def test_a_provider_that_nobody_knows_is_named_with_those_there_are(
    run_with: Callable[..., Run], host: Host
) -> None:
    run = run_with(host, training__provider="nowhere")
    assert advance(run, host) is Outcome.ENDED
    error = trained(run).error
    assert error is not None
    assert error.message == "training.provider is nowhere, and there is no provider of that name."
    assert "There is: mlx, elsewhere." in error.remedy


@pytest.mark.slow
def test_stage_1_is_used_again_only_where_the_provider_says_it_would_come_out_the_same(
    run_with: Callable[..., Run], host: Host, store: RunStore, elsewhere: Any
) -> None:
    first = run_with(host)
    while advance(first, host) is Outcome.NEXT:
        pass
    assert first.manifest.status == "completed", first.manifest.status_reason
    second = run_with(host)
    advance(second, host)
    assert second.manifest.stage1.reused_from == first.run_id
    elsewhere.fingerprint = "f2"
    third = run_with(host)
    advance(third, host)
    assert third.manifest.stage1.reused_from is None
    assert len(elsewhere.processes) == 2


@pytest.mark.slow
def test_a_job_of_another_provider_is_ended_before_the_new_one_begins(
    run_with: Callable[..., Run], host: Host, elsewhere: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.gate.unlink()
    run = run_with(host)
    assert advance(run, replace(host, stopping=lambda: True)) is Outcome.STOPPED
    work = run.folder.work("train_1")
    until(lambda: elsewhere.status(Handle.load(work)).status == "running")
    settings = files.read_json(run.folder.settings)
    settings["training"]["provider"] = "mlx"
    settings["stage1"]["learning_rate"] = 0.0  # refused by MLX, so that nothing begins there
    files.write_json(run.folder.settings, settings)
    assert advance(run, host) is Outcome.ENDED
    assert elsewhere.status(Handle.load(work)).status == "running"  # what is refused ends nothing
    settings["stage1"]["learning_rate"] = 1e-5
    files.write_json(run.folder.settings, settings)
    with run.driving("test"):
        steering.retry(run)
    advance(run, host)  # fails: the base model is no real one
    assert trained(run).error.kind == "bug"  # type: ignore[union-attr]
    assert elsewhere._works(work) is False
