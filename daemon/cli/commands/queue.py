"""`sectune queue`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from jobs.pipeline.priority import in_order
from jobs.runs.status import UNFINISHED
from jobs.runs.store import Run
from jobs.runs.summaries import summary_of

app = typer.Typer(add_completion=False)


@app.command()
def queue(context: typer.Context, json: Json = False) -> None:
    """The unfinished runs in the order they are driven."""
    cli = context_of(context)
    enqueued = cli.queue.pending() if cli.has_queue else []
    runs = in_order(run for run in cli.store.list()[0] if run.manifest.status in UNFINISHED)
    if json:
        terminal.emit_json({"runs": [summary_of(run.manifest) for run in runs], "messages": enqueued})
    elif runs:
        terminal.table(
            ("run", "priority", "status", "step", "reports", "enqueued", "reason"),
            [_row(run, run.run_id in enqueued) for run in runs],
        )
    else:
        terminal.note("The queue is empty.")


def _row(run: Run, has_message: bool) -> tuple[object, ...]:
    summary = summary_of(run.manifest)
    return (
        run.run_id,
        summary["priority"],
        summary["status"],
        summary["step"],
        sum(item.verdict != "refused" for item in run.manifest.inputs),
        "yes" if has_message else "",
        summary["status_reason"] or "",
    )
