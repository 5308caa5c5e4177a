"""The steps of a run, in order; and how one step is done and recorded."""

from __future__ import annotations

import shutil
import traceback
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from pathlib import Path

import structlog

from jobs import diagnosis
from jobs.children import parent
from jobs.children.parent import DeviceBusy
from jobs.errors import DiskFull, Held, NetworkError, SectuneError, Stopped
from jobs.fs import files, free_space
from jobs.pipeline import control, disk_budget, disk_wait
from jobs.pipeline.context import Job, Place, Skip
from jobs.pipeline.steps import certify, dataset, evaluate, fuse, parse, retention, train, upload
from jobs.runs.manifest import UNFINISHED, Output, Progress, RunStatus, Step, StepError, now, seconds_between
from jobs.runs.store import Run

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
        NEXT if there is more to do now (the same step again after a failure that may pass, too); WAITING
        if it can go on only later (the device is in use, the network does not answer, a disk is full).
    """
    try:
        outcome = _advance(run, place)
    except OSError as error:  # the record itself could not be written
        if not diagnosis.is_full(error):
            raise
        outcome = Outcome.ENDED if disk_wait.strand(run, error) else Outcome.WAITING
    if outcome is Outcome.ENDED:
        free_space.give_spare(run.folder.spare)
    return outcome


def _advance(run: Run, place: Place) -> Outcome:
    manifest = run.manifest
    step = manifest.next_step()
    if manifest.status not in UNFINISHED:
        return Outcome.ENDED
    if request := control.asked(run.folder):
        return obey(run, request)
    if step is None:
        return _complete(run)
    try:
        control.take_wish(run)
        job = Job(run, run.settings(), place, step.name)
        alive = parent.living(run.folder.work(step.name)) is not None
        short = None if alive else disk_budget.shortage(job)
    except Exception as error:
        known = diagnosis.of_exception(error, run.folder.root)
        if isinstance(known, DiskFull):
            raise
        _begin(run, step)
        return _fail(run, step, known or error, max_attempts=1)
    if short:
        disk_wait.wait(run, step, str(short))
        return Outcome.WAITING
    _begin(run, step)
    return _attempt(run, step, job)


def _attempt(run: Run, step: Step, job: Job) -> Outcome:
    try:
        written = STEPS[step.name](job)
        outputs = [_output(run, path) for path in written]
    except Stopped:
        return Outcome.STOPPED
    except control.Requested as requested:
        return obey(run, requested.request)
    except Held as held:
        return _wait(run, step, str(held))
    except DeviceBusy as busy:
        return _wait(run, step, f"the device is in use: {busy.holder}")
    except Skip as skip:
        return _end(run, step, [], skipped=str(skip))
    except Exception as error:  # one bad run never kills the daemon: it is recorded with its reason
        known = diagnosis.of_exception(error, run.folder.root)
        if isinstance(known, DiskFull):
            disk_wait.became_full(job, step, known)
            return Outcome.WAITING
        return _fail(run, step, known or error, job.settings.queue.max_attempts)
    return _end(run, step, outputs)


def _begin(run: Run, step: Step) -> None:
    free_space.keep_spare(run.folder.spare)
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


def _end(run: Run, step: Step, outputs: Sequence[Output], skipped: str | None = None) -> Outcome:
    step.outputs = list(outputs)
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


def obey(run: Run, request: control.Request) -> Outcome:
    """Pause or cancel a run; a child that a dead daemon left is ended. The caller holds `run.driving()`."""
    manifest = run.manifest
    step = manifest.next_step()
    if step is not None:
        parent.end(run.folder.work(step.name))
    if step is not None and step.status == "running":
        step.status = "pending"
        step.ended_at = now()
    if request == "pause":
        manifest.status = "paused"
        manifest.status_reason = f"go on with: sectune runs resume {run.run_id}"
    else:
        manifest.status = "cancelled"
        manifest.status_reason = f"take it up again with: sectune runs retry {run.run_id}"
        manifest.total_duration_seconds = seconds_between(manifest.timestamp, now())
    run.save()
    control.withdraw(run.folder)
    free_space.give_spare(run.folder.spare)
    run.event(f"run_{manifest.status}", step=step.name if step else None)
    log.info(f"run {manifest.status}", step=step.name if step else None)
    return Outcome.ENDED


def resume(run: Run) -> None:
    """Have a paused run go on; the caller holds `run.driving()`.

    Raises:
        ValueError: It is not paused.
    """
    if run.manifest.status != "paused":
        raise ValueError(f"{run.run_id} is {run.manifest.status}, not paused")
    _requeue(run, "resumed")


def _requeue(run: Run, event: str) -> None:
    control.withdraw(run.folder)
    run.manifest.status = "queued"
    run.manifest.status_reason = None
    run.manifest.total_duration_seconds = None
    run.save()
    step = run.manifest.next_step()
    run.event(event, step=step.name if step else None)


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
    known = error if isinstance(error, SectuneError) else None
    record = _record(known or error)
    record.iteration = run.manifest.progress.iteration
    # Words are no measure of "the same failure": a dead child's last words differ each time.
    step.failures = 1 if _got_further(step.error, record) else step.failures + 1
    step.error = record
    step.ended_at = now()
    log.error("step failed", step=step.name, error=record.message, failures=step.failures)
    if (known is not None and not known.retryable) or step.failures >= max_attempts:
        _give_up(run, step, "failed" if record.kind == "delivery" else "needs_attention")
        return Outcome.ENDED
    later = isinstance(known, NetworkError)  # at once is too early: the reconciler rings again
    if later:
        run.manifest.status = "waiting"
        run.manifest.status_reason = f"{step.name} will be tried again: {record.message}"
    run.save()
    run.event("step_failed", step=step.name, error=record.message, again=True)
    return Outcome.WAITING if later else Outcome.NEXT


def _got_further(before: StepError | None, after: StepError) -> bool:
    return before is not None and (after.iteration or 0) > (before.iteration or 0)


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


def to_retry(run: Run, first: str | None = None) -> list[str]:
    """The steps that a retry would do: from `first`, or from the one that failed.

    Raises:
        ValueError: There is no such step, or it cannot be done before those in front of it, or the run
            is not at an end.
    """
    manifest = run.manifest
    names = [step.name for step in manifest.steps]
    due = manifest.next_step()
    if manifest.status in UNFINISHED:
        raise ValueError(f"{run.run_id} is {manifest.status}; there is nothing to retry (pause it first)")
    if first is None:
        if due is None or manifest.status == "completed":
            raise ValueError(f"{run.run_id} is {manifest.status}; there is nothing to retry")
        return names[names.index(due.name) :]
    if first not in names:
        raise ValueError(f"There is no step {first}; there are {', '.join(names)}")
    if due is not None and names.index(first) > names.index(due.name):
        raise ValueError(f"{first} needs {due.name}, which is not done yet; retry from there")
    return names[names.index(first) :]


def retry(run: Run, first: str | None = None) -> str:
    """Make an ended run unfinished again; the caller holds `run.driving()`.

    Args:
        run: The run.
        first: Do this step and all after it anew, without what they left; None to go on with the step
            that failed, with what it left (a training goes on from its checkpoint).

    Returns:
        The step it goes on with.

    Raises:
        ValueError: See `to_retry`.
    """
    names = to_retry(run, first)
    for name in names:
        step = run.manifest.step(name)
        step.status = "pending"
        step.failures = 0
        if first is None:
            parent.forget(run.folder.work(name))
        else:
            step.outputs, step.error, step.reason = [], None, None
            parent.end(run.folder.work(name))
            shutil.rmtree(run.folder.work(name), ignore_errors=True)
    for number, of_stage in STAGE_STEPS.items():
        if set(of_stage) & set(names):
            run.manifest.stage(number).status = "pending"
    _requeue(run, "retry")
    return names[0]


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
