"""`sectune runs prioritise`."""

from __future__ import annotations

from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import PRIORITY, RunId, parse_priority
from daemon.cli.context import context_of
from daemon.cli.run_requests import wait_until
from daemon.log import silence
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.pipeline import control
from jobs.runs.status import UNFINISHED, RunStatus
from jobs.runs.store import Run

app = typer.Typer(add_completion=False)


# A negative priority looks like an option to the parser.
@app.command(context_settings={"ignore_unknown_options": True})
def prioritise(
    context: typer.Context,
    run_id: RunId,
    priority: Annotated[
        int, typer.Argument(parser=parse_priority, metavar=PRIORITY, help="Higher goes first; 0 is normal.")
    ],
) -> None:
    """Have a run go before others, or behind them, from its next step on; what runs is not interrupted."""
    silence()
    run = context_of(context).store.open(run_id)
    if run.manifest.status not in (*UNFINISHED, RunStatus.PAUSED):
        raise OperatorError(
            f"{run.run_id} is {run.manifest.status}; it has no step left that could go first."
        )
    control.ask_priority(run.folder, priority)
    if wait_until(lambda: _is_taken(run)):
        terminal.say(f"{run.run_id} has priority {run.manifest.priority}.")
    else:
        terminal.say(f"{run.run_id} gets priority {priority} once whoever drives it looks.")


def _is_taken(run: Run) -> bool:
    """Take it over for a run that nobody drives; True once whoever drives it has."""
    try:
        with run.driving("sectune runs prioritise"):
            control.take_priority(run)
    except files.LockBusy:
        run.reload()
    return control.asked_priority(run.folder) is None
