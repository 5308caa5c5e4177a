"""`sectune runs retry`."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import DryRun, RunId
from daemon.cli.context import context_of
from daemon.cli.run_requests import enqueue
from daemon.log import silence
from jobs.errors import OperatorError
from jobs.pipeline import steering

app = typer.Typer(add_completion=False)


@app.command()
def retry(
    context: typer.Context,
    run_id: RunId,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="STEP", help="Do this step and all after it anew."),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Take an ended run up again, from the step that failed and with what it left."""
    silence()
    cli = context_of(context)
    run = cli.store.open(run_id)
    try:
        names = steering.to_retry(run, first)
        if dry_run:
            kept = [step.name for step in run.manifest.steps if step.name not in names]
            terminal.say(f"would be done: {', '.join(names)}")
            terminal.say(f"would be kept: {', '.join(kept) or 'nothing but the reports'}")
            return
        with run.driving("sectune runs retry"):
            step = steering.retry(run, first)
    except ValueError as error:
        raise OperatorError(str(error)) from error
    enqueue(cli, run)
    terminal.say(f"{run.run_id} goes on with {step}.")
