"""The command line's names and what they share; each command is a file of `daemon/cli/commands/`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.cli.context import CliContext
from daemon.cli.lazy_group import lazy_group

COMMANDS = {
    "run": "Run the daemon in the foreground until SIGTERM or Ctrl-C.",
    "install": "Keep the daemon running from login to logout (LaunchAgent, or systemd user unit).",
    "uninstall": "Stop the daemon and any training, and take the agent away. Runs and models stay.",
    "start": "Start the installed daemon.",
    "stop": "Stop the installed daemon until `start` or the next login; a training goes on.",
    "restart": "Stop and start the installed daemon, for example after an upgrade; a training goes on.",
    "submit": "Make one delivery of these files, at once and without the inbox.",
    "inbox": "Every file that was seen, its state and the reason.",
    "status": "What the daemon is doing: queue, step, progress, time left.",
    "queue": "The unfinished runs in the order they are driven.",
    "wait": (
        "Wait for a run's end: exit code 0 completed, 1 failed or cancelled, 5 it needs you, 75 time is up."
    ),
    "logs": "The daemon's log, or one run's.",
    "report": "Write a run's report: one HTML page that needs nothing else.",
    "evaluate": "Measure models on a file of examples; interrupted, the same call goes on where it stopped.",
    "doctor": "Check this machine: what was seen, why it matters, how to mend it.",
    "parse": "Read reports without training: a verdict for every file, and the findings.",
    "findings": "What a run's reports told.",
    "agent": "Print the LaunchAgent's property list for this installation (macOS).",
    "demo": "Show all of it on a tiny model: a real daemon, a real training, a few minutes.",
    "runs": "The runs.",
    "models": "The certified models.",
    "config": "The settings.",
    "providers": "The places that can train.",
    "dataset": "The training data.",
}
app = typer.Typer(
    name="sectune",
    cls=lazy_group("daemon.cli.commands", COMMANDS),
    help="Turn security-scan reports into a better local model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib import metadata

        typer.echo(f"sectune {metadata.version('sectune')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="Use this settings file.", dir_okay=False)] = None,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True)] = False,
) -> None:
    """What holds for every command."""
    context.obj = CliContext(config)
