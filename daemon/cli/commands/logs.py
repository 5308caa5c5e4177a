"""`sectune logs`: show and follow, across rotation and restarts, to the run's final state."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import CliContext, context_of
from daemon.cli.log_tail import follow as follow_lines
from daemon.cli.log_tail import last_lines
from daemon.exit_codes import FAILED, NEEDS_ATTENTION, OK
from daemon.readable import printable, readable
from jobs.runs.status import UNFINISHED, RunStatus
from jobs.runs.store import Run

CODES = {RunStatus.COMPLETED: OK, RunStatus.NEEDS_ATTENTION: NEEDS_ATTENTION}
app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class LogOptions:
    """How a log is to be shown."""

    follow: bool
    lines: int
    json: bool


@app.command()
def logs(
    context: typer.Context,
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="A run; without one, the daemon.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="Begin with this many lines.")] = 50,
    json: Json = False,
) -> None:
    """The daemon's log, or one run's."""
    cli = context_of(context)
    run = cli.store.open(run_id) if run_id else None
    found = _find_lines(cli, run, LogOptions(follow, lines, json))
    try:
        for line in found:
            sys.stdout.write(line.rstrip("\n") + "\n")
            sys.stdout.flush()
    except KeyboardInterrupt:  # the way out of following; the run goes on
        return
    if run and follow:
        raise typer.Exit(_tell_end(run))


def _find_lines(cli: CliContext, run: Run | None, options: LogOptions) -> Iterator[str]:
    path = cli.files.run_log(run.run_id) if run else cli.files.daemon_log
    if not path.exists():
        terminal.note(f"There is no log yet: {path}")
        if not options.follow:
            return iter(())
    if options.follow and cli.running_daemon() is None and not _is_over(run):
        terminal.note("The daemon is not running, so nothing new will come; start it with: sectune run")
    source = (
        follow_lines(path, options.lines, lambda: _has_ended(run))
        if options.follow
        else iter(last_lines(path, options.lines))
    )
    return source if options.json else map(_make_readable(run), source)


def _make_readable(run: Run | None) -> Callable[[str], str]:
    hidden = ("logger", "pid", "run") if run else ("logger", "pid")
    return lambda line: printable(readable(line, hidden))


def _has_ended(run: Run | None) -> bool:
    if run is not None:
        run.reload()
    return _is_over(run)


def _is_over(run: Run | None) -> bool:
    return run is not None and run.manifest.status not in UNFINISHED


def _tell_end(run: Run) -> int:
    manifest = run.manifest
    terminal.note(
        f"{run.run_id}: {manifest.status}" + (f": {manifest.status_reason}" if manifest.status_reason else "")
    )
    return CODES.get(manifest.status, FAILED)
