"""`sectune runs list`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import CliContext, context_of
from jobs.runs.store import Run

app = typer.Typer(add_completion=False)


@app.command()
def list_runs(context: typer.Context, json: Json = False) -> None:
    """Every run, oldest first."""
    print_runs(context_of(context), json)


def print_runs(cli: CliContext, json: bool) -> None:
    """Every run with its scores."""
    runs, unreadable = cli.store.list()
    if json:
        terminal.emit_json({"runs": [run.manifest.model_dump(mode="json") for run in runs]})
    elif runs:
        terminal.table(("run", "status", "step", "stage 1", "stage 2", "retention", "took"), map(_row, runs))
    else:
        terminal.note("There is no run yet.")
    for item in unreadable:
        terminal.note(f"unreadable run: {item.reason}")


def _row(run: Run) -> tuple[str, ...]:
    manifest = run.manifest
    step = manifest.next_step()
    scores = manifest.validation
    return (
        run.run_id,
        manifest.status,
        step.name if step else "-",
        terminal.percent(scores.stage1_score),
        terminal.percent(scores.stage2_score),
        terminal.percent(scores.retention_rate),
        terminal.duration(manifest.total_duration_seconds),
    )
