"""The chain: one step for each advance, everything on record, nothing tried for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs.children.task import DeviceBusy
from jobs.errors import ChildFailed, DeliveryRefused, GpuWatchdog, NetworkError, OperatorError, Stopped
from jobs.fs import files
from jobs.pipeline import chain, steering, step_table
from jobs.pipeline.chain import Outcome
from jobs.pipeline.context import Host, Job, Skip
from jobs.pipeline.step_table import STEP_NAMES
from jobs.runs.status import UNFINISHED
from jobs.runs.store import Run

Steps = Callable[..., list[str]]


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    return make_run()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    """Replaces every step; the ones named raise what they are given, once for each item."""

    def replace_all(**raised: Sequence[BaseException]) -> list[str]:
        done: list[str] = []
        left = {name: list(errors) for name, errors in raised.items()}

        def step(name: str) -> Callable[[Job], Sequence[Path]]:
            def work(job: Job) -> Sequence[Path]:
                done.append(name)
                if left.get(name):
                    raise left[name].pop(0)
                path = job.folder.root / "metadata" / f"{name}.txt"
                files.write_text(path, name)
                return [path]

            return work

        for name, row in step_table.STEPS.items():
            monkeypatch.setitem(step_table.STEPS, name, replace(row, do=step(name)))
        return done

    return replace_all


def advance(run: Run, host: Host, times: int = 1) -> Outcome:
    for _ in range(times):
        with run.driving("test"):
            outcome = chain.advance(run, host)
    return outcome


def status(run: Run) -> tuple[str, str | None]:
    on_disk = json.loads(run.folder.manifest.read_text())
    return on_disk["status"], on_disk["status_reason"]


def test_the_steps_are_those_of_the_house_in_their_order() -> None:
    expected = "parse dataset_1 train_1 evaluate_1 dataset_2 train_2 evaluate_2 retention fuse certify upload"
    assert " ".join(STEP_NAMES) == expected


@pytest.mark.slow
def test_every_advance_does_one_step_and_the_last_completes_the_run(
    run: Run, host: Host, steps: Steps
) -> None:
    done = steps()
    outcomes = []
    for count in range(1, len(STEP_NAMES) + 1):
        outcomes.append(advance(run, host))
        assert done == list(STEP_NAMES[:count])
    assert outcomes == [Outcome.NEXT] * 10 + [Outcome.ENDED]
    assert status(run) == ("completed", None)
    assert run.manifest.total_duration_seconds is not None
    assert [stage.status for stage in (run.manifest.stage1, run.manifest.stage2)] == ["succeeded"] * 2
    assert run.manifest.stage1.duration_seconds is not None
    assert advance(run, host) is Outcome.ENDED
    assert len(done) == len(STEP_NAMES)


def test_outputs_are_recorded_with_size_and_hash(run: Run, host: Host, steps: Steps) -> None:
    steps()
    advance(run, host)
    (output,) = run.manifest.step("parse").outputs
    assert (output.path, output.bytes) == ("./metadata/parse.txt", 5)
    assert output.sha256 == files.sha256_file(run.folder.root / output.path)


def test_the_manifest_says_running_while_a_step_runs(
    run: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def look(job: Job) -> Sequence[Path]:
        on_disk = json.loads(job.folder.manifest.read_text())
        seen.append((on_disk["status"], on_disk["steps"][0]["status"], on_disk["progress"]["step"]))
        return []

    monkeypatch.setitem(step_table.STEPS, "parse", replace(step_table.STEPS["parse"], do=look))
    advance(run, host)
    assert seen == [("in_progress", "running", "parse")]


def test_a_skipped_step_keeps_its_reason_and_the_chain_goes_on(run: Run, host: Host, steps: Steps) -> None:
    steps(parse=[Skip("nothing to do")])
    assert advance(run, host) is Outcome.NEXT
    step = run.manifest.step("parse")
    assert (step.status, step.reason, step.outputs) == ("skipped", "nothing to do", [])
    advance(run, host)
    assert run.manifest.step("dataset_1").status == "succeeded"


def test_a_step_that_fails_three_times_the_same_way_waits_for_a_person(
    run: Run, host: Host, steps: Steps
) -> None:
    done = steps(parse=[ValueError("odd")] * 9)
    assert [advance(run, host) for _ in range(4)] == [
        Outcome.NEXT,
        Outcome.NEXT,
        Outcome.ENDED,
        Outcome.ENDED,
    ]
    assert done == ["parse"] * 3
    assert status(run) == ("needs_attention", "parse: ValueError: odd")
    step = run.manifest.step("parse")
    assert step.error is not None
    assert (step.status, step.error.kind) == ("failed", "bug")
    assert "raise left[name].pop(0)" in str(step.error.traceback)


def test_a_child_that_dies_with_other_words_each_time_is_not_started_for_ever(
    run: Run, host: Host, steps: Steps
) -> None:
    done = steps(parse=[ChildFailed(f"died. Its last words: {count}") for count in range(9)])
    while advance(run, host) is not Outcome.ENDED:
        pass
    assert len(done) == 3
    assert status(run)[0] == "needs_attention"


def test_failures_with_progress_in_between_do_not_add_up(
    run: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = iter([10, 20, 30, 40, 50])

    def work(job: Job) -> Sequence[Path]:
        iteration = next(reached, None)
        if iteration is None:
            return []
        job.progress({"iteration": iteration})
        raise ChildFailed("killed")

    monkeypatch.setitem(step_table.STEPS, "parse", replace(step_table.STEPS["parse"], do=work))
    advance(run, host, 6)
    assert run.manifest.step("parse").status == "succeeded"
    assert run.manifest.step("parse").attempts == 6


def test_two_failures_are_forgiven_and_the_third_attempt_succeeds(run: Run, host: Host, steps: Steps) -> None:
    steps(parse=[ChildFailed("died")] * 2)
    advance(run, host, 3)
    step = run.manifest.step("parse")
    assert (step.status, step.attempts, step.failures, step.error) == ("succeeded", 3, 0, None)


@pytest.mark.slow
def test_a_daemons_death_is_no_failure_however_often_it_happens(run: Run, host: Host, steps: Steps) -> None:
    class Killed(BaseException):
        pass

    steps(parse=[Killed()] * 7)
    for _ in range(7):
        with pytest.raises(Killed):
            advance(run, host)
        run.reload()
        assert (run.manifest.step("parse").status, run.manifest.status) == ("running", "in_progress")
    advance(run, host)
    step = run.manifest.step("parse")
    assert (step.status, step.attempts, step.failures) == ("succeeded", 8, 0)


def test_a_stopping_daemon_leaves_the_step_as_it_is(run: Run, host: Host, steps: Steps) -> None:
    steps(parse=[Stopped()])
    assert advance(run, host) is Outcome.STOPPED
    assert run.manifest.status in UNFINISHED
    assert run.manifest.step("parse").failures == 0


def test_a_refused_delivery_ends_as_failed_at_once(run: Run, host: Host, steps: Steps) -> None:
    steps(parse=[DeliveryRefused("no finding", "deliver others")])
    assert advance(run, host) is Outcome.ENDED
    assert status(run) == ("failed", "parse: no finding deliver others")


def test_what_the_operator_must_mend_needs_attention_at_once(run: Run, host: Host, steps: Steps) -> None:
    steps(dataset_1=[OperatorError("no model", "make one")])
    assert advance(run, host, 2) is Outcome.ENDED
    assert status(run) == ("needs_attention", "dataset_1: no model make one")
    assert run.manifest.stage1.status == "failed"


@pytest.mark.parametrize(("number", "kind"), [(13, "permission"), (1, "permission"), (30, "operator")])
def test_a_missing_permission_is_the_operators_and_not_our_bug(
    run: Run, host: Host, steps: Steps, number: int, kind: str
) -> None:
    steps(parse=[OSError(number, "so it is", "/there")])
    assert advance(run, host) is Outcome.ENDED
    error = run.manifest.step("parse").error
    assert error is not None
    assert (error.kind, error.traceback) == (kind, None)
    assert error.remedy


def test_the_gpu_watchdog_is_tried_again_at_once_and_the_remedy_is_on_record(
    run: Run, host: Host, steps: Steps
) -> None:
    steps(parse=[GpuWatchdog("the watchdog ended it", "let the display sleep")] * 9)
    assert advance(run, host) is Outcome.NEXT
    error = run.manifest.step("parse").error
    assert error is not None
    assert (error.kind, error.remedy) == ("gpu_watchdog", "let the display sleep")
    assert advance(run, host, 2) is Outcome.ENDED
    assert status(run) == ("needs_attention", "parse: the watchdog ended it let the display sleep")


def test_a_silent_network_is_tried_again_later_and_not_for_ever(run: Run, host: Host, steps: Steps) -> None:
    steps(upload=[], parse=[NetworkError("no answer")] * 9)
    assert advance(run, host) is Outcome.WAITING
    assert status(run) == ("waiting", "parse will be tried again: no answer")
    assert [advance(run, host), advance(run, host)] == [Outcome.WAITING, Outcome.ENDED]
    assert status(run)[0] == "needs_attention"


def test_a_busy_device_makes_the_run_wait_with_its_reason_and_then_go_on(
    run: Run, host: Host, steps: Steps
) -> None:
    steps(parse=[DeviceBusy("pid 7 other train_1")] * 5)
    for _ in range(5):
        assert advance(run, host) is Outcome.WAITING
        assert status(run) == ("waiting", "the device is in use: pid 7 other train_1")
    assert advance(run, host) is Outcome.NEXT
    step = run.manifest.step("parse")
    assert (step.status, step.attempts, step.failures) == ("succeeded", 1, 0)
    assert status(run) == ("in_progress", None)


def test_a_promised_output_that_is_missing_is_a_recorded_failure(
    run: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        step_table.STEPS, "parse", replace(step_table.STEPS["parse"], do=lambda job: [job.folder.findings])
    )
    assert [advance(run, host) for _ in range(3)][-1] is Outcome.ENDED
    assert "FileNotFoundError" in str(status(run)[1])


@pytest.mark.parametrize("content", [None, "{", '{"stage1": {"colour": "red"}}', '{"seed": -1}'])
def test_settings_that_cannot_be_read_are_a_recorded_failure(
    run: Run, host: Host, steps: Steps, content: str | None
) -> None:
    steps()
    run.folder.settings.unlink()
    if content is not None:
        run.folder.settings.write_text(content)
    assert advance(run, host) is Outcome.ENDED
    assert status(run)[0] == "needs_attention"
    assert str(run.folder.settings) in str(status(run)[1])


def test_retry_goes_on_with_the_failed_step_and_does_its_work_again(
    run: Run, host: Host, steps: Steps
) -> None:
    done = steps(dataset_1=[OperatorError("no model")])
    advance(run, host, 2)
    receipt = files.private_folder(run.folder.work("dataset_1")) / "receipt.json"
    receipt.write_text("{}")
    with run.driving("test"):
        assert steering.retry(run) == "dataset_1"
    assert status(run) == ("queued", None)
    assert not receipt.exists()
    assert advance(run, host) is Outcome.NEXT
    assert done == ["parse", "dataset_1", "dataset_1"]
    assert run.manifest.stage1.status == "running"


def test_only_what_failed_can_be_retried(run: Run, host: Host, steps: Steps) -> None:
    steps()
    with pytest.raises(ValueError, match="is queued"):
        steering.retry(run)
    advance(run, host, len(STEP_NAMES))
    with pytest.raises(ValueError, match="is completed"):
        steering.retry(run)


@pytest.mark.slow
def test_a_run_killed_between_its_last_step_and_its_end_is_completed(
    run: Run, host: Host, steps: Steps
) -> None:
    done = steps()
    advance(run, host, len(STEP_NAMES))
    run.manifest.status = "in_progress"
    run.save()
    assert advance(run, host) is Outcome.ENDED
    assert status(run)[0] == "completed"
    assert len(done) == len(STEP_NAMES)


def test_what_happened_is_in_the_events(run: Run, host: Host, steps: Steps) -> None:
    steps(parse=[ChildFailed("died")])
    advance(run, host, 2)
    events = [row["event"] for row in files.read_jsonl(run.folder.events)]
    assert events == ["step_started", "step_failed", "step_started", "step_succeeded"]


@pytest.mark.slow
def test_a_childs_report_becomes_the_manifests_progress(
    run: Run, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(job: Job) -> Sequence[Path]:
        job.progress({"iteration": 1, "train_loss": 2.0, "no such fact": 1})
        job.progress({"iteration": 2})
        on_disk = json.loads(job.folder.manifest.read_text())["progress"]
        assert (on_disk["iteration"], on_disk["train_loss"], on_disk["step"]) == (2, 2.0, "parse")
        return []

    monkeypatch.setitem(step_table.STEPS, "parse", replace(step_table.STEPS["parse"], do=work))
    advance(run, host, 2)
    assert run.manifest.progress.train_loss is None
