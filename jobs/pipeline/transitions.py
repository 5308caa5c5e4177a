"""The only writer of the states of a run, its steps and its stages; a move that is not in the tables raises.

Each function makes one move, saves the manifest and puts on record what happened. Whoever calls one holds
`run.driving()`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import structlog

from jobs.clock import now
from jobs.fs import free_space
from jobs.pipeline.step_table import STAGE_STEPS, stage_of
from jobs.runs.manifest import Output, Progress, Step, StepError, seconds_between
from jobs.runs.status import Remedy, RunStatus, StageStatus, StepStatus
from jobs.runs.store import Run
from jobs.runs.waiting import WaitingFor, WaitingForPerson

log = structlog.get_logger("sectune.chain")

_UNFINISHED_TO = frozenset(RunStatus) - {RunStatus.QUEUED}
OF_A_RUN: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.QUEUED: _UNFINISHED_TO,
    RunStatus.IN_PROGRESS: _UNFINISHED_TO,
    RunStatus.WAITING: _UNFINISHED_TO,
    RunStatus.PAUSED: frozenset({RunStatus.QUEUED, RunStatus.CANCELLED}),
    RunStatus.COMPLETED: frozenset({RunStatus.QUEUED}),  # a person has a step done anew
    RunStatus.FAILED: frozenset({RunStatus.QUEUED, RunStatus.CANCELLED}),
    RunStatus.CANCELLED: frozenset({RunStatus.QUEUED}),
    RunStatus.NEEDS_ATTENTION: frozenset({RunStatus.QUEUED, RunStatus.CANCELLED}),
}
OF_A_STEP: Mapping[StepStatus, frozenset[StepStatus]] = {
    StepStatus.PENDING: frozenset({StepStatus.PENDING, StepStatus.RUNNING}),
    StepStatus.RUNNING: frozenset(StepStatus),  # RUNNING again: its daemon died, the next one takes it up
    StepStatus.SUCCEEDED: frozenset({StepStatus.PENDING}),
    StepStatus.SKIPPED: frozenset({StepStatus.PENDING}),
    StepStatus.FAILED: frozenset({StepStatus.PENDING}),
}
OF_A_STAGE: Mapping[StageStatus, frozenset[StageStatus]] = {
    StageStatus.PENDING: frozenset({StageStatus.PENDING, StageStatus.RUNNING}),
    StageStatus.RUNNING: frozenset(StageStatus),
    StageStatus.SUCCEEDED: frozenset({StageStatus.PENDING}),
    StageStatus.FAILED: frozenset({StageStatus.PENDING}),
}
State = TypeVar("State", RunStatus, StepStatus, StageStatus)


class IllegalTransition(Exception):
    """A bug of ours: something was to enter a state that it cannot get into from the one it is in."""


def begin(run: Run, step: Step) -> None:
    """A step begins, or is taken up again after a daemon's death; the attempt counts."""
    free_space.keep_reserve_file(run.folder.reserve_file)
    taken_up = step.status is StepStatus.RUNNING
    _move_run(run, RunStatus.IN_PROGRESS)
    _move_step(step, StepStatus.RUNNING)
    step.attempts += 1
    if not taken_up:
        step.started_at = now()
        step.ended_at = None
    if run.manifest.progress.step != step.name:
        run.manifest.progress = Progress(step=step.name, updated_at=now())
    if (stage := stage_of(step.name)) is not None:
        _move_stage(run, stage, StageStatus.RUNNING)
    run.save()
    run.event("step_started", step=step.name, attempt=step.attempts)
    log.info("step started", step=step.name, attempt=step.attempts)


def succeed(run: Run, step: Step, outputs: Sequence[Output]) -> None:
    """A step is done."""
    _end(run, step, StepStatus.SUCCEEDED, outputs, None)


def skip(run: Run, step: Step, reason: str) -> None:
    """A step has nothing to do."""
    _end(run, step, StepStatus.SKIPPED, (), reason)


def _end(run: Run, step: Step, status: StepStatus, outputs: Sequence[Output], reason: str | None) -> None:
    _move_step(step, status)
    step.outputs = list(outputs)
    step.reason = reason
    step.error = None
    step.failures = 0
    step.ended_at = now()
    stage = stage_of(step.name)
    if stage is not None and step.name == STAGE_STEPS[stage][-1]:
        _move_stage(run, stage, StageStatus.SUCCEEDED)
        run.manifest.stage(stage).duration_seconds = sum(
            _duration(run.manifest.step(name)) for name in STAGE_STEPS[stage]
        )
    run.save()
    run.event(f"step_{status}", step=step.name, reason=reason)
    log.info(f"step {status}", step=step.name, reason=reason)


def complete(run: Run) -> None:
    """The last step is done.

    Raises:
        OSError: It could not be written; the run is as it was, so that its end comes when it can be recorded.
    """
    before = run.manifest.model_copy(deep=True)
    _move_run(run, RunStatus.COMPLETED)
    run.manifest.progress = Progress(updated_at=now())
    _stop_the_clock(run)
    try:
        run.save()
    except OSError:
        run.manifest = before
        raise
    run.event("run_completed")
    log.info("run completed", seconds=run.manifest.total_duration_seconds)


def put_off(run: Run, step: Step, waiting_for: WaitingFor) -> None:
    """A step that had begun cannot have what it needs: it is pending again; that was no attempt."""
    step.attempts -= 1
    wait(run, step, waiting_for)
    log.info("waiting", step=step.name, reason=run.manifest.status_reason)


def wait(run: Run, step: Step | None, waiting_for: WaitingFor) -> None:
    """The run waits; a step that was running goes on later from where it is."""
    set_aside(run, step, waiting_for)
    run.save()


def set_aside(run: Run, step: Step | None, waiting_for: WaitingFor) -> None:
    """Have the run wait, without saving: for a disk that may have no room for the record."""
    if step is not None and step.status is StepStatus.RUNNING:
        _move_step(step, StepStatus.PENDING)
    _move_run(run, RunStatus.WAITING, waiting_for=waiting_for)


def fail(run: Run, step: Step, error: StepError, again: WaitingFor | None = None) -> None:
    """A step failed and is tried again: at once, or when what `again` names is there."""
    _count(step, error)
    if again is not None:
        set_aside(run, step, again)
    run.save()
    run.event("step_failed", step=step.name, error=error.message, again=True)


def give_up(run: Run, step: Step, error: StepError, status: RunStatus) -> None:
    """A step failed for good, and its run with it.

    Args:
        run: The run.
        step: The step.
        error: Why.
        status: FAILED where only another delivery helps, NEEDS_ATTENTION where a person can mend it.
    """
    _move_step(step, StepStatus.FAILED)
    _count(step, error)
    mend = WaitingForPerson(run.run_id, Remedy.RETRY) if status is RunStatus.NEEDS_ATTENTION else None
    reason = f"{step.name}: {error.message} {error.remedy}".rstrip()
    _move_run(run, status, reason, mend)
    _stop_the_clock(run)
    if (stage := stage_of(step.name)) is not None:
        _move_stage(run, stage, StageStatus.FAILED)
    run.save()
    run.event(f"run_{status}", step=step.name, reason=reason)
    log.error("run ended", status=status, reason=reason)


def pause(run: Run) -> None:
    """A person stops the run; its child has ended."""
    _stop(run, RunStatus.PAUSED, waiting_for=WaitingForPerson(run.run_id, Remedy.RESUME))


def cancel(run: Run) -> None:
    """A person ends the run; its child has ended."""
    _stop_the_clock(run)
    _stop(run, RunStatus.CANCELLED, reason=f"take it up again with: sectune runs retry {run.run_id}")


def _stop(
    run: Run, status: RunStatus, reason: str | None = None, waiting_for: WaitingFor | None = None
) -> None:
    step = run.manifest.next_step()
    if step is not None and step.status is StepStatus.RUNNING:
        _move_step(step, StepStatus.PENDING)
        step.ended_at = now()
    _move_run(run, status, reason, waiting_for)
    run.save()
    run.event(f"run_{status}", step=step.name if step else None)
    log.info(f"run {status}", step=step.name if step else None)


def requeue(run: Run, event: str) -> None:
    """Have a run that stands still go on with its next step."""
    _move_run(run, RunStatus.QUEUED)
    run.manifest.total_duration_seconds = None
    run.save()
    step = run.manifest.next_step()
    run.event(event, step=step.name if step else None)


def reset(run: Run, names: Iterable[str]) -> None:
    """Have steps done once more, and their stages with them; `requeue` saves it."""
    for name in names:
        step = run.manifest.step(name)
        _move_step(step, StepStatus.PENDING)
        step.failures = 0
        if (stage := stage_of(name)) is not None:
            _move_stage(run, stage, StageStatus.PENDING)


def failures_with(step: Step, error: StepError) -> int:
    """How often a step failed without progress in between, this error counted."""
    # Words are no measure of "the same failure": a dead child's last words differ each time.
    return 1 if _got_further(step.error, error) else step.failures + 1


def _count(step: Step, error: StepError) -> None:
    step.failures = failures_with(step, error)
    step.error = error
    step.ended_at = now()
    log.error("step failed", step=step.name, error=error.message, failures=step.failures)


def _got_further(before: StepError | None, after: StepError) -> bool:
    return before is not None and (after.iteration or 0) > (before.iteration or 0)


def _stop_the_clock(run: Run) -> None:
    run.manifest.total_duration_seconds = seconds_between(run.manifest.timestamp, now())


def _duration(step: Step) -> float:
    return seconds_between(step.started_at, step.ended_at) if step.started_at and step.ended_at else 0.0


def _move_run(
    run: Run, status: RunStatus, reason: str | None = None, waiting_for: WaitingFor | None = None
) -> None:
    manifest = run.manifest
    manifest.status = _checked(OF_A_RUN, manifest.status, status)
    manifest.waiting_for = waiting_for
    manifest.status_reason = reason or (str(waiting_for) if waiting_for else None)


def _move_step(step: Step, status: StepStatus) -> None:
    step.status = _checked(OF_A_STEP, step.status, status)


def _move_stage(run: Run, number: int, status: StageStatus) -> None:
    stage = run.manifest.stage(number)
    stage.status = _checked(OF_A_STAGE, stage.status, status)


def _checked(table: Mapping[State, frozenset[State]], before: State, after: State) -> State:
    if after not in table[before]:
        raise IllegalTransition(f"from {before!r} to {after!r}")
    return after
