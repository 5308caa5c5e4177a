"""Commands that steer a run: pause, cancel, resume, retry, wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from daemon import terminal
from daemon.cli.world import World
from daemon.exit_codes import BUSY, FAILED, NEEDS_ATTENTION, OK
from daemon.log import silence
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.pipeline import control, steering
from jobs.runs.status import UNFINISHED

if TYPE_CHECKING:
    from jobs.runs.store import Run

POLL_SECONDS = 0.25
OBEYED_SECONDS = 5.0  # an idle run or a short step obeys at once; a training may need its next checkpoint
ASKED = {"pause": "It pauses", "cancel": "It ends"}


def ask(world: World, run_id: str, request: control.Request) -> int:
    """Pause or cancel a run: by whoever drives it, or here where nobody does."""
    silence()
    run = world.store.open(run_id)
    _must_be_askable(run, request)
    control.ask(run.folder, request)  # first: whoever lets go of the run after our look has seen it
    deadline = time.monotonic() + OBEYED_SECONDS
    while not _obeyed(run, request):
        if time.monotonic() > deadline:
            terminal.say(
                f"{run.run_id} is asked to {request}. {ASKED[request]} once its checkpoint is saved."
            )
            terminal.note(f"See: sectune runs show {run.run_id}")
            return OK
        time.sleep(POLL_SECONDS)
    terminal.say(f"{run.run_id} is {run.manifest.status}.")
    if run.manifest.status_reason:
        terminal.note(run.manifest.status_reason)
    return OK if run.manifest.status in ("paused", "cancelled") else FAILED


def _must_be_askable(run: Run, request: control.Request) -> None:
    status = run.manifest.status
    may = status in UNFINISHED or (request == "cancel" and status in ("paused", "failed", "needs_attention"))
    if not may:
        raise OperatorError(f"{run.run_id} is {status}; there is nothing to {request}.")


def _obeyed(run: Run, request: control.Request) -> bool:
    """Obey for a run that nobody drives; True once it is no longer a question."""
    try:
        with run.driving(f"sectune runs {request}"):
            if control.asked(run.folder) == request:
                steering.obey(run, request)
    except files.LockBusy:
        run.reload()
        return run.manifest.status not in UNFINISHED
    return True


def resume(world: World, run_id: str) -> int:
    """Have a paused run go on, or take a request back that was not obeyed yet."""
    silence()
    run = world.store.open(run_id)
    if run.manifest.status in UNFINISHED and control.withdraw(run.folder):
        terminal.say(f"{run.run_id} goes on; it had not stopped yet.")
        return OK
    with run.driving("sectune runs resume"):
        try:
            steering.resume(run)
        except ValueError as error:
            raise OperatorError(str(error)) from error
    _ring(world, run)
    terminal.say(f"{run.run_id} goes on.")
    return OK


def prioritise(world: World, run_id: str, priority: int) -> int:
    """Give a run another priority: by whoever drives it, or here where nobody does."""
    silence()
    run = world.store.open(run_id)
    if run.manifest.status not in (*UNFINISHED, "paused"):
        raise OperatorError(
            f"{run.run_id} is {run.manifest.status}; it has no step left that could go first."
        )
    control.ask_priority(run.folder, priority)
    deadline = time.monotonic() + OBEYED_SECONDS
    while not _taken_over(run):
        if time.monotonic() > deadline:
            terminal.say(f"{run.run_id} gets priority {priority} once whoever drives it looks.")
            return OK
        time.sleep(POLL_SECONDS)
    terminal.say(f"{run.run_id} has priority {run.manifest.priority}.")
    return OK


def _taken_over(run: Run) -> bool:
    try:
        with run.driving("sectune runs prioritise"):
            control.take_priority(run)
    except files.LockBusy:
        run.reload()
    return control.asked_priority(run.folder) is None


def retry(world: World, run_id: str, first: str | None, dry_run: bool) -> int:
    """Take an ended run up again, from the step that failed or from another one."""
    silence()
    run = world.store.open(run_id)
    try:
        names = steering.to_retry(run, first)
        if dry_run:
            kept = [step.name for step in run.manifest.steps if step.name not in names]
            terminal.say(f"would be done: {', '.join(names)}")
            terminal.say(f"would be kept: {', '.join(kept) or 'nothing but the reports'}")
            return OK
        with run.driving("sectune runs retry"):
            step = steering.retry(run, first)
    except ValueError as error:
        raise OperatorError(str(error)) from error
    _ring(world, run)
    terminal.say(f"{run.run_id} goes on with {step}.")
    return OK


def _ring(world: World, run: Run) -> None:
    world.queue.ring(run.run_id)
    if world.daemon() is None:
        terminal.note("The daemon is not running; start it with: sectune run")


def wait(world: World, run_id: str, timeout: float | None) -> int:
    """Wait until a run has ended (or is paused, which only a person ends); the exit code says how."""
    run = world.store.open(run_id)
    if run.manifest.status in UNFINISHED and world.daemon() is None:
        terminal.note("The daemon is not running, so nothing happens; start it with: sectune run")
    deadline = None if timeout is None else time.monotonic() + timeout
    while run.manifest.status in UNFINISHED:
        if deadline is not None and time.monotonic() >= deadline:
            terminal.note(f"{run.run_id} is still {run.manifest.status}.")
            return BUSY
        time.sleep(POLL_SECONDS)
        run.reload()
    reason = run.manifest.status_reason
    terminal.say(f"{run.run_id}: {run.manifest.status}" + (f": {reason}" if reason else ""))
    codes = {"completed": OK, "needs_attention": NEEDS_ATTENTION, "paused": NEEDS_ATTENTION}
    return codes.get(run.manifest.status, FAILED)
