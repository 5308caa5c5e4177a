"""Which run goes first: the one of higher priority, then the older one; the manifest says how high.

Asked whenever a run wants the device. What runs is never interrupted: an urgent run waits for the end of the
running step, not for the end of the other run.
"""

from __future__ import annotations

from collections.abc import Iterable

from jobs.fs import files
from jobs.runs.status import FOR_THE_DEVICE, UNFINISHED, RunStatus
from jobs.runs.store import Run, RunStore

HIGHEST = 100
BEGINS_AT_ONCE = (RunStatus.QUEUED, RunStatus.IN_PROGRESS)
NAMED = {"high": 10, "normal": 0, "low": -10}


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Runs as they are driven; those of one priority stay in the order given, which is their age's."""
    return sorted(runs, key=lambda run: -run.manifest.priority)


def before(store: RunStore, run: Run) -> str | None:
    """The id of the run that gets the device before this one; None if it is this one's turn."""
    first = (other for other in in_order(store.unfinished()) if _wants_the_device(other))
    ahead = next((other for other in first if other.run_id != run.run_id), None)
    return ahead.run_id if ahead and ahead.manifest.priority > run.manifest.priority else None


def instead_of(store: RunStore, run_id: str) -> str | None:
    """The id of a run that is to be driven before this one although its own message lies behind; or None."""
    runs = store.unfinished()
    own = next((run.manifest.priority for run in runs if run.run_id == run_id), None)
    for run in in_order(runs):
        if own is None or run.manifest.priority <= own:
            return None
        if run.manifest.status in BEGINS_AT_ONCE and not files.lock_holder(run.folder.driver_lock):
            return run.run_id
    return None


def _wants_the_device(run: Run) -> bool:
    """Whether it would use the device soon: not paused, not at its end, not waiting for network or space."""
    if run.manifest.status is RunStatus.WAITING:
        return run.manifest.waits_for(*FOR_THE_DEVICE)
    return run.manifest.status in UNFINISHED
