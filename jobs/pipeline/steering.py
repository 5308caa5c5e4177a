"""What a person does to a run: pause it, cancel it, have it go on, have it tried again.

The caller holds `run.driving()`.
"""

from __future__ import annotations

import shutil

from jobs.children import parent
from jobs.fs import free_space
from jobs.pipeline import control, transitions
from jobs.pipeline.provider_job import end_work
from jobs.runs.status import UNFINISHED, RunStatus
from jobs.runs.store import Run


def obey(run: Run, request: control.Request) -> None:
    """Pause or cancel a run; a child that a dead daemon left is ended."""
    step = run.manifest.next_step()
    if step is not None:
        end_work(run.folder.work(step.name))
    if request == "pause":
        transitions.pause(run)
    else:
        transitions.cancel(run)
    control.withdraw(run.folder)
    free_space.free_reserve_file(run.folder.reserve_file)


def resume(run: Run) -> None:
    """Have a paused run go on.

    Raises:
        ValueError: It is not paused.
    """
    if run.manifest.status is not RunStatus.PAUSED:
        raise ValueError(f"{run.run_id} is {run.manifest.status}, not paused")
    control.withdraw(run.folder)
    transitions.requeue(run, "resumed")


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
        if due is None or manifest.status is RunStatus.COMPLETED:
            raise ValueError(f"{run.run_id} is {manifest.status}; there is nothing to retry")
        return names[names.index(due.name) :]
    if first not in names:
        raise ValueError(f"There is no step {first}; there are {', '.join(names)}")
    if due is not None and names.index(first) > names.index(due.name):
        raise ValueError(f"{first} needs {due.name}, which is not done yet; retry from there")
    return names[names.index(first) :]


def retry(run: Run, first: str | None = None) -> str:
    """Make an ended run unfinished again.

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
        if first is None:
            parent.forget(run.folder.work(name))
        else:
            _clear(run, name)
    transitions.reset(run, names)
    control.withdraw(run.folder)
    transitions.requeue(run, "retry")
    return names[0]


def _clear(run: Run, name: str) -> None:
    step = run.manifest.step(name)
    step.outputs, step.error, step.reason = [], None, None
    end_work(run.folder.work(name))
    shutil.rmtree(run.folder.work(name), ignore_errors=True)
