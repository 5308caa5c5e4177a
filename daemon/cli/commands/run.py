"""`sectune run`; its body is in `daemon/cli/quick/`, where it is light."""

from __future__ import annotations

import typer

from daemon.cli.context import context_of
from daemon.cli.quick import quick
from daemon.cli.quick.run import run_daemon

app = typer.Typer(add_completion=False)


@app.command()
def run(context: typer.Context) -> None:
    """Run the daemon in the foreground until SIGTERM or Ctrl-C."""
    cli = context_of(context)
    if cli.config_file is None:
        quick.re_exec(lambda: cli.loaded)
    raise typer.Exit(run_daemon(lambda: cli.settings))
