"""A run that waits for room on a disk: no failure is counted, and its manifest says so even on a full one."""

from __future__ import annotations

import structlog

from jobs import diagnosis
from jobs.fs import free_space
from jobs.pipeline import transitions
from jobs.runs.manifest import Step
from jobs.runs.status import UNFINISHED, WaitingKind
from jobs.runs.store import Run
from jobs.runs.waiting import WaitingForDisk

log = structlog.get_logger("sectune.room")


def wait(run: Run, step: Step, waiting_for: WaitingForDisk) -> None:
    """Have a run wait; asked again and again until there is room, it writes and says only what changed."""
    waited = run.manifest.waits_for(WaitingKind.DISK)
    if waited and str(run.manifest.waiting_for) == str(waiting_for):  # the same numbers, as they are shown
        return
    if not waited:
        log.warning("waiting for room on the disk", step=step.name, reason=str(waiting_for))
    transitions.set_aside(run, step, waiting_for)
    _save_at_last(run)


def strand(run: Run, error: OSError) -> bool:
    """The disk took no record of what was done: it is written with the room that was kept aside.

    Returns:
        Whether the run is at its end all the same.

    Raises:
        OSError: Not even that did; the manifest is as it was, and the step is done or found done again.
    """
    step = run.manifest.next_step()
    log.warning("the disk is full", step=step.name if step else None, error=str(error))
    ended = run.manifest.status not in UNFINISHED
    if not ended:
        transitions.set_aside(run, step, WaitingForDisk(error=str(error)))
    _save_at_last(run)
    return ended


def _save_at_last(run: Run) -> None:
    try:
        run.save()
    except OSError as error:
        if not diagnosis.is_full(error):
            raise
        free_space.free_reserve_file(run.folder.reserve_file)
        run.save()
