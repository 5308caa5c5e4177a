"""`sectune restart`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.agent_service import service_of
from daemon.cli.context import context_of

app = typer.Typer(add_completion=False)


@app.command()
def restart(context: typer.Context) -> None:
    """Stop and start the installed daemon, for example after an upgrade; a training goes on."""
    service_of(context_of(context)).restart()
    terminal.say("Restarted.")
