"""`sectune stop`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.agent_service import service_of
from daemon.cli.context import context_of

app = typer.Typer(add_completion=False)


@app.command()
def stop(context: typer.Context) -> None:
    """Stop the installed daemon until `start` or the next login; a training goes on."""
    cli = context_of(context)
    service = service_of(cli)
    service.stop()
    terminal.say("Stopped." if service.file.exists() else "There is no agent installed.")
    if holder := cli.running_daemon():
        terminal.note(f"A daemon that is not the agent's is running: {holder}")
