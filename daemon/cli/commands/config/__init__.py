"""`sectune config`: the group."""

from __future__ import annotations

import typer

from daemon.cli.lazy_group import lazy_group

COMMANDS = {
    "show": "Every setting, its value and where it came from.",
    "check": "Check the settings and say all that is wrong at once; exit code 2 if something is.",
}
app = typer.Typer(cls=lazy_group(__name__, COMMANDS), no_args_is_help=True, add_completion=False)


@app.callback()
def config() -> None:
    """The settings."""
