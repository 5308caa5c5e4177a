"""How one step of a run is done, and what becomes of each way it can end."""

from __future__ import annotations

import traceback
from enum import Enum
from pathlib import Path

from jobs import diagnosis
from jobs.children import life
from jobs.children.task import DeviceBusy
from jobs.errors import DiskFull, JobError, NetworkError, Stopped
from jobs.fs import files, free_space
from jobs.pipeline import control, disk_budget, disk_wait, steering, transitions
from jobs.pipeline.context import Host, Job, Skip
from jobs.pipeline.step_table import STEPS
from jobs.runs.manifest import Output, Step, StepError
from jobs.runs.status import UNFINISHED, RunStatus
from jobs.runs.store import Run
from jobs.runs.waiting import WaitingForDevice, WaitingForDisk, WaitingForNetwork


class Outcome(Enum):
    """What became of an attempt to drive a run one step further."""

    NEXT = "next"
    WAITING = "waiting"
    ENDED = "ended"
    STOPPED = "stopped"


def advance(run: Run, host: Host) -> Outcome:
    """Do the next unfinished step of a run and record it; the caller holds `run.driving()`.

    Returns:
        NEXT if there is more to do now (the same step again after a failure that may pass, too); WAITING
        if it can go on only later (the device is in use, the network does not answer, a disk is full).
    """
    try:
        outcome = _advance(run, host)
    except OSError as error:  # the record itself could not be written
        if not diagnosis.is_full(error):
            raise
        outcome = Outcome.ENDED if disk_wait.strand(run, error) else Outcome.WAITING
    if outcome is Outcome.ENDED:
        free_space.free_reserve_file(run.folder.reserve_file)
    return outcome


def _advance(run: Run, host: Host) -> Outcome:
    manifest = run.manifest
    step = manifest.next_step()
    if manifest.status not in UNFINISHED:
        return Outcome.ENDED
    if request := control.asked(run.folder):
        return _obey(run, request)
    if step is None:
        return _complete(run)
    try:
        control.take_priority(run)
        job = Job(run, run.settings(), host, step.name)
        alive = life.living(run.folder.work(step.name)) is not None
        short = None if alive else disk_budget.shortage(job, STEPS[step.name].estimate)
    except Exception as error:
        known = diagnosis.of_exception(error, run.folder.root)
        if isinstance(known, DiskFull):
            raise
        transitions.begin(run, step)
        return _fail(run, step, known or error, max_attempts=1)
    if short:
        disk_wait.wait(run, step, WaitingForDisk.of(short))
        return Outcome.WAITING
    transitions.begin(run, step)
    return _attempt(run, step, job)


def _attempt(run: Run, step: Step, job: Job) -> Outcome:
    try:
        written = STEPS[step.name].do(job)
        outputs = [_output(run, path) for path in written]
    except Stopped:
        return Outcome.STOPPED
    except control.Requested as requested:
        return _obey(run, requested.request)
    except control.MustWait as must:
        transitions.put_off(run, step, must.waiting_for)
        return Outcome.WAITING
    except DeviceBusy as busy:
        transitions.put_off(run, step, WaitingForDevice(busy.holder))
        return Outcome.WAITING
    except Skip as skip:
        transitions.skip(run, step, str(skip))
        return _go_on(run)
    except Exception as error:  # one bad run never kills the daemon: it is recorded with its reason
        known = diagnosis.of_exception(error, run.folder.root)
        if isinstance(known, DiskFull):
            return _wait_for_room(job, step, known)
        return _fail(run, step, known or error, job.settings.queue.max_attempts)
    transitions.succeed(run, step, outputs)
    return _go_on(run)


def _go_on(run: Run) -> Outcome:
    return _complete(run) if run.manifest.next_step() is None else Outcome.NEXT


def _complete(run: Run) -> Outcome:
    transitions.complete(run)
    return Outcome.ENDED


def _obey(run: Run, request: control.Request) -> Outcome:
    steering.obey(run, request)
    return Outcome.ENDED


def _output(run: Run, path: Path) -> Output:
    relative = run.folder.relative(path)
    return Output(path=relative, sha256=files.sha256_file(path), bytes=path.stat().st_size)


def _wait_for_room(job: Job, step: Step, full: DiskFull) -> Outcome:
    """The disk became full in the middle of a step, which goes on when there is room again."""
    disk_wait.log.warning("the disk became full", step=step.name, error=full.message)
    short = disk_budget.shortage(job, STEPS[step.name].estimate)
    again = WaitingForDisk.of(short) if short else WaitingForDisk(what=step.name, error=full.message)
    disk_wait.wait(job.run, step, again)
    return Outcome.WAITING


def _fail(run: Run, step: Step, error: Exception, max_attempts: int) -> Outcome:
    known = error if isinstance(error, JobError) else None
    record = _record(error)
    record.iteration = run.manifest.progress.iteration
    failures = transitions.failures_with(step, record)
    if (known is not None and not known.retryable) or failures >= max_attempts:
        ended = RunStatus.FAILED if record.kind == "delivery" else RunStatus.NEEDS_ATTENTION
        transitions.give_up(run, step, record, ended)
        return Outcome.ENDED
    if isinstance(known, NetworkError):  # at once is too early: the reconciler asks again
        transitions.fail(run, step, record, WaitingForNetwork(step.name, record.message))
        return Outcome.WAITING
    transitions.fail(run, step, record)
    return Outcome.NEXT


def _record(error: Exception) -> StepError:
    if isinstance(error, JobError):
        notes = "\n".join(getattr(error, "__notes__", [])) or None
        return StepError(kind=error.kind, message=error.message, remedy=error.remedy, traceback=notes)
    text = "".join(traceback.format_exception(error))
    return StepError(kind="bug", message=f"{type(error).__name__}: {error}", traceback=text)
