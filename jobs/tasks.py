"""What the queue can be asked to do. The names are part of the queue file: they are never changed."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from jobs import chain, files
from jobs.errors import NotFoundError, OperatorError
from jobs.job import Place
from jobs.runs.manifest import UNFINISHED
from jobs.runs.store import RunStore

log = structlog.get_logger("sectune.tasks")


def advancing(store: RunStore, place: Place, ring: Callable[[str], object]) -> Callable[[str], None]:
    """The task `advance`: do the next unfinished step of a run, then ring for the one after it.

    Args:
        store: The runs.
        place: Where the daemon keeps its state.
        ring: Asks for a run's next step.
    """

    def advance(run_id: str) -> None:
        with structlog.contextvars.bound_contextvars(run=run_id):
            outcome = _advance_once(store, place, run_id)
            if outcome is chain.Outcome.NEXT and not place.stopping():
                ring(run_id)
            if outcome in (chain.Outcome.NEXT, chain.Outcome.ENDED):
                for waiting in waiting_runs(store):
                    ring(waiting)

    return advance


def _advance_once(store: RunStore, place: Place, run_id: str) -> chain.Outcome | None:
    try:
        run = store.open(run_id)
        with run.driving("a worker of the daemon"):
            return chain.advance(run, place)
    except files.LockBusy:
        log.debug("somebody else drives this run")
    except (NotFoundError, OperatorError) as error:
        log.error("run cannot be driven", error=str(error))
    return None


def waiting_runs(store: RunStore) -> list[str]:
    """Runs that waited for the device; it may be free now."""
    return [run.run_id for run in store.list()[0] if run.manifest.status == "waiting"]


def undriven_runs(store: RunStore) -> list[str]:
    """Unfinished runs, oldest first, that nobody drives at the moment."""
    return [
        run.run_id
        for run in store.list()[0]
        if run.manifest.status in UNFINISHED and files.lock_holder(run.folder.root / ".driver.lock") is None
    ]
