"""`sectune runs resume`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.arguments import RunId
from daemon.cli.context import context_of
from daemon.cli.run_requests import enqueue
from daemon.log import silence
from jobs.errors import OperatorError
from jobs.pipeline import control, steering
from jobs.runs.status import UNFINISHED

app = typer.Typer(add_completion=False)


@app.command()
def resume(context: typer.Context, run_id: RunId) -> None:
    """Have a paused run go on."""
    silence()
    cli = context_of(context)
    run = cli.store.open(run_id)
    if run.manifest.status in UNFINISHED and control.withdraw(run.folder):
        terminal.say(f"{run.run_id} goes on; it had not stopped yet.")
        return
    with run.driving("sectune runs resume"):
        try:
            steering.resume(run)
        except ValueError as error:
            raise OperatorError(str(error)) from error
    enqueue(cli, run)
    terminal.say(f"{run.run_id} goes on.")
