"""`sectune runs`: the group, which lists them when no command is named."""

from __future__ import annotations

import typer

from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.cli.lazy_group import lazy_group

COMMANDS = {
    "list": "Every run, oldest first.",
    "show": "All about one run.",
    "retry": "Take an ended run up again, from the step that failed and with what it left.",
    "pause": "Stop a run at its next checkpoint until `runs resume`.",
    "cancel": "End a run at its next checkpoint; its folder stays, and `runs retry` takes it up again.",
    "prioritise": (
        "Have a run go before others, or behind them, from its next step on; what runs is not interrupted."
    ),
    "resume": "Have a paused run go on.",
    "validate": "Check a run's manifest, its recorded outputs and its folders against what they promise.",
}
app = typer.Typer(
    cls=lazy_group(__name__, COMMANDS), help="The runs.", invoke_without_command=True, add_completion=False
)


@app.callback()
def runs(context: typer.Context, json: Json = False) -> None:
    """List the runs (the same as `runs list`)."""
    if context.invoked_subcommand is None:
        from daemon.cli.commands.runs.list import print_runs

        print_runs(context_of(context), json)
