"""`sectune models pull`: a base model from the Hub, by a child process, with its progress shown."""

from __future__ import annotations

from typing import Any

import typer

from daemon import terminal
from daemon.cli.context import context_of
from jobs import base_models
from jobs.children import parent
from jobs.children.task import Task

app = typer.Typer(add_completion=False)


@app.command()
def pull(context: typer.Context) -> None:
    """Fetch the base model of the settings and convert it; complete or absent, never half."""
    cli = context_of(context)
    name, folder = cli.settings.base_model.name, cli.settings.paths.models_dir / "base"
    if base_models.is_complete(folder, name):
        terminal.note(f"{name} is there and complete.")
        return
    work = cli.files.pulls / name
    task = Task(
        module="jobs.mlx.pull",
        work=work,
        payload=base_models.pull_request(folder, cli.settings.base_model),
        log=cli.files.pull_log,
    )
    parent.forget(work)
    result = parent.drive(task, _note_phase, lambda: False)
    terminal.say(f"{result['target']}: {result['bytes'] / 1e9:.2f} GB")


def _note_phase(facts: dict[str, Any]) -> None:
    if phase := facts.get("phase"):
        terminal.note(str(phase))
