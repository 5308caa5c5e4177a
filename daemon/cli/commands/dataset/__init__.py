"""`sectune dataset`: the group."""

from __future__ import annotations

import typer

from daemon.cli.lazy_group import lazy_group

COMMANDS = {
    "build": "Build one stage's training data; no daemon is needed.",
    "show": "Examples as a person reads them.",
    "stats": "What a data set holds, what was left out and why.",
}
app = typer.Typer(cls=lazy_group(__name__, COMMANDS), no_args_is_help=True, add_completion=False)


@app.callback()
def dataset() -> None:
    """The training data."""
