"""`sectune report`."""

from __future__ import annotations

import webbrowser
from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import RunId
from daemon.cli.context import context_of
from jobs.reporting.page import write_report

app = typer.Typer(add_completion=False)


@app.command()
def report(
    context: typer.Context,
    run_id: RunId,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write a run's report: one HTML page that needs nothing else."""
    run = context_of(context).store.open(run_id)
    path = write_report(run.folder, run.manifest)
    terminal.say(str(path))
    if show and not webbrowser.open(path.as_uri()):
        terminal.note("No browser could be opened; open the file by hand.")
