"""`sectune install`."""

from __future__ import annotations

import sys

import typer

from daemon import terminal
from daemon.cli.agent_service import note_variables_left_behind, service_of
from daemon.cli.arguments import DryRun
from daemon.cli.context import context_of

app = typer.Typer(add_completion=False)


@app.command()
def install(context: typer.Context, dry_run: DryRun = False) -> None:
    """Keep the daemon running from login to logout (LaunchAgent, or systemd user unit)."""
    cli = context_of(context)
    service = service_of(cli)
    note_variables_left_behind(cli)
    if dry_run:
        sys.stdout.write(service.content().decode("utf-8"))
        terminal.note(f"would be written to {service.file}, then:")
        for command in service.plan():
            terminal.note(f"  {command}")
        return
    service.install()
    terminal.say(f"Installed. Drop reports into {cli.settings.paths.inbox}")
    terminal.note("Look after it with: sectune status; sectune doctor")
