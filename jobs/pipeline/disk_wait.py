"""A run that waits for room on a disk: no failure is counted, and its manifest says so even on a full one."""

from __future__ import annotations

import structlog

from jobs import diagnosis
from jobs.errors import DiskFull
from jobs.fs import free_space
from jobs.pipeline import disk_budget
from jobs.pipeline.context import Job
from jobs.runs.manifest import UNFINISHED, Step
from jobs.runs.store import Run

log = structlog.get_logger("sectune.room")


def wait(run: Run, step: Step, reason: str) -> None:
    """Have a run wait; asked again and again until there is room, it writes and says only what changed."""
    manifest = run.manifest
    waited = manifest.status == "waiting" and free_space.is_reason(manifest.status_reason)
    if waited and manifest.status_reason == reason:
        return
    if not waited:
        log.warning("waiting for room on the disk", step=step.name, reason=reason)
    _set_aside(run, step, reason)
    _save_at_last(run)


def became_full(job: Job, step: Step, full: DiskFull) -> None:
    """The disk became full in the middle of a step, which goes on when there is room again."""
    log.warning("the disk became full", step=step.name, error=full.message)
    short = disk_budget.shortage(job)
    again = f"the disk was full during {step.name}, which is tried again soon: {full.message}"
    wait(job.run, step, str(short) if short else again)


def strand(run: Run, error: OSError) -> bool:
    """The disk took no record of what was done: it is written with the room that was kept aside.

    Returns:
        Whether the run is at its end all the same.

    Raises:
        OSError: Not even that did; the manifest is as it was, and the step is done or found done again.
    """
    manifest = run.manifest
    step = manifest.next_step()
    log.warning("the disk is full", step=step.name if step else None, error=str(error))
    ended = manifest.status not in UNFINISHED and step is not None
    if not ended:
        _set_aside(run, step, f"the disk is full: {error}")
    _save_at_last(run)
    return ended


def _set_aside(run: Run, step: Step | None, reason: str) -> None:
    if step is not None and step.status == "running":
        step.status = "pending"
    run.manifest.status, run.manifest.status_reason = "waiting", reason


def _save_at_last(run: Run) -> None:
    try:
        run.save()
    except OSError as error:
        if not diagnosis.is_full(error):
            raise
        free_space.give_spare(run.folder.spare)
        run.save()
