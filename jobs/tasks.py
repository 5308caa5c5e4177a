"""What the queue can be asked to do. The names are part of the queue file: they are never changed."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from jobs import diagnosis
from jobs.errors import NotFoundError, OperatorError
from jobs.fs import files
from jobs.pipeline import chain, priority
from jobs.pipeline.context import Host
from jobs.runs.status import FOR_THE_DEVICE, UNFINISHED, WaitingKind
from jobs.runs.store import Run, RunStore
from jobs.runs.waiting import WaitingForPower

log = structlog.get_logger("sectune.tasks")


def _tell_nobody(run: Run) -> None:
    """What happens at a run's end where nobody wants to know."""


def advance_with(
    store: RunStore,
    host: Host,
    enqueue: Callable[[str], object],
    ended: Callable[[Run], object] = _tell_nobody,
) -> Callable[[str], None]:
    """The task `advance`: do the next unfinished step of a run, then enqueue it for the one after.

    Args:
        store: The runs.
        host: Where the daemon keeps its state.
        enqueue: Asks for a run's next step.
        ended: Told once of each run that came to its end, whatever end.
    """

    def advance(run_id: str) -> None:
        if urgent := priority.instead_of(store, run_id):
            drive(urgent)
            if not host.stopping():
                _try_to_enqueue(enqueue, run_id)
        else:
            drive(run_id)

    def drive(run_id: str) -> None:
        with structlog.contextvars.bound_contextvars(run=run_id):
            outcome = _advance_once(store, host, run_id, ended)
            if outcome is chain.Outcome.NEXT and not host.stopping():
                _try_to_enqueue(enqueue, run_id)
            if outcome in (chain.Outcome.NEXT, chain.Outcome.ENDED):
                for waiting in waiting_runs(store):
                    _try_to_enqueue(enqueue, waiting)

    return advance


def _try_to_enqueue(enqueue: Callable[[str], object], run_id: str) -> None:
    try:
        enqueue(run_id)
    except Exception as error:
        if not diagnosis.is_full(error):
            raise
        # The manifest has it all; the reconciler enqueues it again.
        log.warning("the disk is full, so no run was enqueued", run=run_id, error=str(error))


def _advance_once(
    store: RunStore, host: Host, run_id: str, ended: Callable[[Run], object]
) -> chain.Outcome | None:
    try:
        run = store.open(run_id)
        with run.driving("a worker of the daemon"):
            was_unfinished = run.manifest.status in UNFINISHED
            outcome = chain.advance(run, host)
        if outcome is chain.Outcome.ENDED and was_unfinished:
            ended(run)
        return outcome
    except files.LockBusy:
        log.debug("somebody else drives this run")
    except (NotFoundError, OperatorError) as error:
        log.error("run cannot be driven", error=str(error))
    except OSError as error:
        if not diagnosis.is_full(error):
            raise
        log.error("the disk is full, not even the manifest could be written; tried again", error=str(error))
    return None


def waiting_runs(store: RunStore) -> list[str]:
    """Runs that waited for the device or for room, which may be there now; the network is left alone."""
    runs = priority.in_order(store.unfinished())
    return [run.run_id for run in runs if run.manifest.waits_for(*FOR_THE_DEVICE, WaitingKind.DISK)]


def undriven_runs(store: RunStore, held: WaitingForPower | None = None) -> list[str]:
    """Unfinished runs that nobody drives at the moment, as they are to be driven: urgent ones, then old ones.

    Args:
        store: The runs.
        held: Why the device is not to be used now; runs that wait for just that are left out.
    """
    return [
        run.run_id
        for run in priority.in_order(store.unfinished())
        if run.manifest.status in UNFINISHED
        and not (held and run.manifest.waiting_for == held)
        and files.lock_holder(run.folder.driver_lock) is None
    ]
