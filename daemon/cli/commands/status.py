"""`sectune status`; its body is in `daemon/cli/quick/`, where it is light."""

from __future__ import annotations

import typer

from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.cli.quick import status as quick_status

app = typer.Typer(add_completion=False)


@app.command()
def status(context: typer.Context, json: Json = False) -> None:
    """What the daemon is doing: queue, step, progress, time left."""
    raise typer.Exit(quick_status.show_status(context_of(context).status_sources, json))
