"""`sectune models verify`."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.exit_codes import FAILED, OK
from jobs.registry.catalogue import find_model
from jobs.registry.verify import verify as find_problems

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model's name, its unambiguous beginning, or CURRENT.")],
    json: Json = False,
) -> None:
    """Compute a certified model's name and hashes again from its files."""
    entry = find_model(context_of(context).settings.paths.models_dir / "certified", name)
    problems = find_problems(entry)
    if json:
        terminal.emit_json({"model": entry.name, "problems": list(problems)})
    elif not problems:
        terminal.say(f"{entry.name}: name and every file are as certified")
    else:
        for problem in problems:
            terminal.say(terminal.styled("FAIL", "red"), f" {problem}")
    raise typer.Exit(FAILED if problems else OK)
