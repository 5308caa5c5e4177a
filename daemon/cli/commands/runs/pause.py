"""`sectune runs pause`."""

from __future__ import annotations

import typer

from daemon.cli.arguments import RunId
from daemon.cli.context import context_of
from daemon.cli.run_requests import ask_to

app = typer.Typer(add_completion=False)


@app.command()
def pause(context: typer.Context, run_id: RunId) -> None:
    """Stop a run at its next checkpoint until `runs resume`."""
    raise typer.Exit(ask_to("pause", context_of(context), run_id))
