"""`sectune uninstall`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.agent_service import service_of
from daemon.cli.context import context_of

app = typer.Typer(add_completion=False)


@app.command()
def uninstall(context: typer.Context) -> None:
    """Stop the daemon and any training, and take the agent away. Runs and models stay."""
    service_of(context_of(context)).uninstall()
    terminal.say("Uninstalled. Settings, runs and models are left as they are.")
