"""`sectune models list`."""

from __future__ import annotations

from dataclasses import asdict

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from jobs.registry.catalogue import ListedModel
from jobs.registry.catalogue import list_models as list_certified

COLUMNS = ("", "model", "created (UTC)", "base model", "stage 1", "stage 2", "retention")
app = typer.Typer(add_completion=False)


@app.command()
def list_models(context: typer.Context, json: Json = False) -> None:
    """The certified models; the one in use is marked."""
    models = list_certified(context_of(context).settings.paths.models_dir / "certified")
    if json:
        terminal.emit_json({"models": [asdict(model) for model in models]})
        return
    if not models:
        terminal.note("There is no certified model yet.")
        return
    terminal.table(COLUMNS, map(_row, models))
    for model in models:
        if model.problem:
            terminal.note(f"{model.name}: {model.problem}")


def _row(model: ListedModel) -> tuple[str | None, ...]:
    return (
        "*" if model.current else "",
        model.name,
        (model.created or "")[:19].replace("T", " "),
        model.base_model,
        terminal.percent(model.stage1_exact_match_percentage),
        terminal.percent(model.stage2_exact_match_percentage),
        terminal.percent(model.retention_rate),
    )
