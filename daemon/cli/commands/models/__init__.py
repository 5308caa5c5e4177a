"""`sectune models`: the group."""

from __future__ import annotations

import typer

from daemon.cli.lazy_group import lazy_group

COMMANDS = {
    "list": "The certified models; the one in use is marked.",
    "pull": "Fetch the base model of the settings and convert it; complete or absent, never half.",
    "verify": "Compute a certified model's name and hashes again from its files.",
}
app = typer.Typer(cls=lazy_group(__name__, COMMANDS), no_args_is_help=True, add_completion=False)


@app.callback()
def models() -> None:
    """The certified models."""
