"""`sectune agent`: the property list, for whoever installs it by hand."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.agent_service import note_variables_left_behind
from daemon.cli.context import context_of
from daemon.service import manager
from launchd.installer import LaunchAgent

app = typer.Typer(add_completion=False)


@app.command()
def agent(
    context: typer.Context,
    label: Annotated[str, typer.Option(help="The agent's label.")] = "io.sectune.agent",
) -> None:
    """Print the LaunchAgent's property list for this installation (macOS)."""
    cli = context_of(context)
    ours = manager.launch_agent(cli.loaded, cli.files.folder)
    named = LaunchAgent(ours.manager, ours.uid, ours.file.parent, label)
    note_variables_left_behind(cli)
    sys.stdout.write(named.content().decode("utf-8"))
    for command in (f"mkdir -p {shlex.quote(str(cli.files.logs))}", *named.plan()):
        terminal.note(command)
    terminal.note("All of that, and waiting until the daemon answers, is done by: sectune install")
