"""`sectune dataset stats`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.cli.dataset_counts import count_examples, print_counts
from daemon.cli.dataset_folder import StageOption, Target, find_dataset

app = typer.Typer(add_completion=False)


@app.command()
def stats(context: typer.Context, target: Target, stage: StageOption = None, json: Json = False) -> None:
    """What a data set holds, what was left out and why."""
    found = find_dataset(context_of(context), target, stage)
    counted = count_examples(found.folder, found.stats)
    if json:
        terminal.emit_json(counted)
    else:
        print_counts(counted)
