"""`sectune wait`."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import RunId
from daemon.cli.context import context_of
from daemon.exit_codes import BUSY, FAILED, NEEDS_ATTENTION, OK
from jobs.runs.status import UNFINISHED, RunStatus

POLL_SECONDS = 0.25
# A paused run does not go on by itself, so waiting for it would never end.
CODES = {
    RunStatus.COMPLETED: OK,
    RunStatus.NEEDS_ATTENTION: NEEDS_ATTENTION,
    RunStatus.PAUSED: NEEDS_ATTENTION,
}
app = typer.Typer(add_completion=False)


@app.command()
def wait(
    context: typer.Context,
    run_id: RunId,
    timeout: Annotated[float | None, typer.Option(help="Give up after this many seconds.", min=0)] = None,
) -> None:
    """Wait for a run's end: exit code 0 completed, 1 failed or cancelled, 5 it needs you, 75 time is up."""
    cli = context_of(context)
    run = cli.store.open(run_id)
    if run.manifest.status in UNFINISHED and cli.running_daemon() is None:
        terminal.note("The daemon is not running, so nothing happens; start it with: sectune run")
    deadline = None if timeout is None else time.monotonic() + timeout
    while run.manifest.status in UNFINISHED:
        if deadline is not None and time.monotonic() >= deadline:
            terminal.note(f"{run.run_id} is still {run.manifest.status}.")
            raise typer.Exit(BUSY)
        time.sleep(POLL_SECONDS)
        run.reload()
    reason = run.manifest.status_reason
    terminal.say(f"{run.run_id}: {run.manifest.status}" + (f": {reason}" if reason else ""))
    raise typer.Exit(CODES.get(run.manifest.status, FAILED))
