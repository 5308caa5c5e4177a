"""What a person asks of a run that is unfinished: obeyed by whoever drives it, or here where nobody does."""

from __future__ import annotations

import time
from collections.abc import Callable

from daemon import terminal
from daemon.cli.context import CliContext
from daemon.exit_codes import FAILED, OK
from daemon.log import silence
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.pipeline import control, steering
from jobs.runs.status import UNFINISHED, RunStatus
from jobs.runs.store import Run

POLL_SECONDS = 0.25
OBEYED_SECONDS = 5.0  # an idle run or a short step obeys at once; a training may need its next checkpoint
ASKED = {"pause": "It pauses", "cancel": "It ends"}
CAN_BE_CANCELLED = (*UNFINISHED, RunStatus.PAUSED, RunStatus.FAILED, RunStatus.NEEDS_ATTENTION)


def ask_to(request: control.Request, cli: CliContext, run_id: str) -> int:
    """Pause or cancel a run; returns the exit code.

    Raises:
        NotFoundError: There is no such run.
        OperatorError: It is in no state to be asked.
    """
    silence()
    run = cli.store.open(run_id)
    _must_be_askable(run, request)
    control.ask(run.folder, request)  # first: whoever lets go of the run after our look has seen it
    if not wait_until(lambda: _is_obeyed(run, request)):
        terminal.say(f"{run.run_id} is asked to {request}. {ASKED[request]} once its checkpoint is saved.")
        terminal.note(f"See: sectune runs show {run.run_id}")
        return OK
    terminal.say(f"{run.run_id} is {run.manifest.status}.")
    if run.manifest.status_reason:
        terminal.note(run.manifest.status_reason)
    return OK if run.manifest.status in (RunStatus.PAUSED, RunStatus.CANCELLED) else FAILED


def wait_until(obeyed: Callable[[], bool]) -> bool:
    """Look again and again for a few seconds; False if nobody has obeyed by then."""
    deadline = time.monotonic() + OBEYED_SECONDS
    while not obeyed():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _must_be_askable(run: Run, request: control.Request) -> None:
    status = run.manifest.status
    if status not in (CAN_BE_CANCELLED if request == "cancel" else UNFINISHED):
        raise OperatorError(f"{run.run_id} is {status}; there is nothing to {request}.")


def _is_obeyed(run: Run, request: control.Request) -> bool:
    """Obey for a run that nobody drives; True once it is no longer a question."""
    try:
        with run.driving(f"sectune runs {request}"):
            if control.asked(run.folder) == request:
                steering.obey(run, request)
    except files.LockBusy:
        run.reload()
        return run.manifest.status not in UNFINISHED
    return True


def enqueue(cli: CliContext, run: Run) -> None:
    """Have the daemon go on with a run; where none runs, say so."""
    cli.queue.enqueue(run.run_id)
    if cli.running_daemon() is None:
        terminal.note("The daemon is not running; start it with: sectune run")
