"""`sectune start`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.agent_service import service_of
from daemon.cli.context import context_of

app = typer.Typer(add_completion=False)


@app.command()
def start(context: typer.Context) -> None:
    """Start the installed daemon."""
    service_of(context_of(context)).start()
    terminal.say("Started.")
