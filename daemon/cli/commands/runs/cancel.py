"""`sectune runs cancel`."""

from __future__ import annotations

import typer

from daemon.cli.arguments import RunId
from daemon.cli.context import context_of
from daemon.cli.run_requests import ask_to

app = typer.Typer(add_completion=False)


@app.command()
def cancel(context: typer.Context, run_id: RunId) -> None:
    """End a run at its next checkpoint; its folder stays, and `runs retry` takes it up again."""
    raise typer.Exit(ask_to("cancel", context_of(context), run_id))
