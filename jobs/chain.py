"""The steps of a run, in order; and how one step is done and recorded."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from pathlib import Path

import structlog

from jobs import files
from jobs.children import DeviceBusy
from jobs.errors import SectuneError, Stopped
from jobs.job import Job, Place, Skip
from jobs.runs.manifest import UNFINISHED, Output, Progress, RunStatus, Step, StepError, now, seconds_between
from jobs.runs.store import Run
from jobs.steps import certify, dataset, evaluate, fuse, parse, retention, train, upload

StepFunction = Callable[[Job], Sequence[Path]]

STEPS: dict[str, StepFunction] = {
    "parse": parse.run,
    "dataset_1": partial(dataset.run, stage=1),
    "train_1": partial(train.run, stage=1),
    "evaluate_1": partial(evaluate.run, stage=1),
    "dataset_2": partial(dataset.run, stage=2),
    "train_2": partial(train.run, stage=2),
    "evaluate_2": partial(evaluate.run, stage=2),
    "retention": retention.run,
    "fuse": fuse.run,
    "certify": certify.run,
    "upload": upload.run,
}
STEP_NAMES = tuple(STEPS)
# The last step of a stage ends the stage's clock.
STAGE_STEPS = {1: ("dataset_1", "train_1", "evaluate_1"), 2: ("dataset_2", "train_2", "evaluate_2")}
log = structlog.get_logger("sectune.chain")


class Outcome(Enum):
    """What became of an attempt to drive a run one step further."""

    NEXT = "next"
    WAITING = "waiting"
    ENDED = "ended"
    STOPPED = "stopped"


def advance(run: Run, place: Place) -> Outcome:
    """Do the next unfinished step of a run and record it; the caller holds `run.driving()`.

    Returns:
        NEXT if there is more to do now (the same step again after a failure that may pass, too).
    """
    manifest = run.manifest
    step = manifest.next_step()
    if manifest.status not in UNFINISHED:
        return Outcome.ENDED
    if step is None:
        return _complete(run)
    settings = run.settings()
    job = Job(run, settings, place, step.name)
    _begin(run, step)
    try:
        outputs = STEPS[step.name](job)
    except Stopped:
        return Outcome.STOPPED
    except DeviceBusy as busy:
        return _wait(run, step, f"the device is in use: {busy.holder}")
    except Skip as skip:
        return _end(run, step, [], skipped=str(skip))
    except Exception as error:  # one bad run never kills the daemon: it is recorded with its reason
        return _fail(run, step, error, settings.queue.max_attempts)
    return _end(run, step, outputs)


def _begin(run: Run, step: Step) -> None:
    if step.status != "running":
        step.status = "running"
        step.started_at = now()
        step.ended_at = None
    step.attempts += 1
    run.manifest.status = "in_progress"
    run.manifest.status_reason = None
    if run.manifest.progress.step != step.name:
        run.manifest.progress = Progress(step=step.name, updated_at=now())
    _stage_began(run, step.name)
    run.save()
    run.event("step_started", step=step.name, attempt=step.attempts)
    log.info("step started", step=step.name, attempt=step.attempts)


def _end(run: Run, step: Step, outputs: Sequence[Path], skipped: str | None = None) -> Outcome:
    step.outputs = [_output(run, path) for path in outputs]
    step.status = "skipped" if skipped is not None else "succeeded"
    step.reason = skipped
    step.error = None
    step.failures = 0
    step.ended_at = now()
    _stage_ended(run, step.name)
    run.save()
    run.event(f"step_{step.status}", step=step.name, reason=skipped)
    log.info(f"step {step.status}", step=step.name, reason=skipped)
    return _complete(run) if run.manifest.next_step() is None else Outcome.NEXT


def _output(run: Run, path: Path) -> Output:
    relative = run.folder.relative(path)
    return Output(path=relative, sha256=files.sha256_file(path), bytes=path.stat().st_size)


def _wait(run: Run, step: Step, reason: str) -> Outcome:
    step.status = "pending"
    step.attempts -= 1
    run.manifest.status = "waiting"
    run.manifest.status_reason = reason
    run.save()
    log.info("waiting", step=step.name, reason=reason)
    return Outcome.WAITING


def _complete(run: Run) -> Outcome:
    manifest = run.manifest
    manifest.status = "completed"
    manifest.status_reason = None
    manifest.progress = Progress(updated_at=now())
    manifest.total_duration_seconds = seconds_between(manifest.timestamp, now())
    run.save()
    run.event("run_completed")
    log.info("run completed", seconds=manifest.total_duration_seconds)
    return Outcome.ENDED


def _fail(run: Run, step: Step, error: Exception, max_attempts: int) -> Outcome:
    known = isinstance(error, SectuneError)
    record = _record(error)
    same = step.error is not None and step.error.message == record.message
    step.failures = step.failures + 1 if same else 1
    step.error = record
    step.ended_at = now()
    log.error("step failed", step=step.name, error=record.message, failures=step.failures)
    if (not known or getattr(error, "retryable", False)) and step.failures < max_attempts:
        run.save()
        run.event("step_failed", step=step.name, error=record.message, again=True)
        return Outcome.NEXT
    status: RunStatus = "failed" if record.kind == "delivery" else "needs_attention"
    _give_up(run, step, status)
    return Outcome.ENDED


def _record(error: Exception) -> StepError:
    if isinstance(error, SectuneError):
        notes = "\n".join(getattr(error, "__notes__", [])) or None
        return StepError(kind=error.kind, message=error.message, remedy=error.remedy, traceback=notes)
    text = "".join(traceback.format_exception(error))
    return StepError(kind="bug", message=f"{type(error).__name__}: {error}", traceback=text)


def _give_up(run: Run, step: Step, status: RunStatus) -> None:
    manifest = run.manifest
    error = step.error
    step.status = "failed"
    manifest.status = status
    manifest.status_reason = f"{step.name}: {error.message} {error.remedy}".rstrip() if error else step.name
    manifest.total_duration_seconds = seconds_between(manifest.timestamp, now())
    for number, names in STAGE_STEPS.items():
        if step.name in names:
            manifest.stage(number).status = "failed"
    run.save()
    run.event("run_" + status, step=step.name, reason=manifest.status_reason)
    log.error("run ended", status=status, reason=manifest.status_reason)


def retry(run: Run) -> str:
    """Make a failed run unfinished again, from the step that failed; the caller holds `run.driving()`.

    Returns:
        The step it goes on with.
    """
    manifest = run.manifest
    step = manifest.next_step()
    if step is None or manifest.status in UNFINISHED or manifest.status == "completed":
        raise ValueError(f"{run.run_id} is {manifest.status}; there is nothing to retry")
    step.status = "pending"
    step.failures = 0
    manifest.status = "queued"
    manifest.status_reason = None
    manifest.total_duration_seconds = None
    run.save()
    run.event("retry", step=step.name)
    return step.name


def _stage_began(run: Run, step: str) -> None:
    for number, names in STAGE_STEPS.items():
        if step in names:
            run.manifest.stage(number).status = "running"


def _stage_ended(run: Run, step: str) -> None:
    for number, names in STAGE_STEPS.items():
        if step == names[-1]:
            stage = run.manifest.stage(number)
            stage.status = "succeeded"
            stage.duration_seconds = sum(_duration(run.manifest.step(name)) for name in names)


def _duration(step: Step) -> float:
    return seconds_between(step.started_at, step.ended_at) if step.started_at and step.ended_at else 0.0
