"""`sectune inbox`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.inbox.entry import Entry

SHOWN, EVERY = 50, 1_000_000
app = typer.Typer(add_completion=False)


@app.command()
def inbox(
    context: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="All files ever seen, not the last 50.")] = False,
    json: Json = False,
) -> None:
    """Every file that was seen, its state and the reason."""
    cli = context_of(context)
    ledger = cli.existing_ledger
    entries = ledger.entries(limit=EVERY if every else SHOWN) if ledger else []
    if json:
        terminal.emit_json({"files": [entry.to_json() for entry in entries]})
    elif entries:
        rows = [row for entry in entries for row in _rows(entry)]
        terminal.table(("when (UTC)", "state", "file", "reason"), rows)
    else:
        terminal.note(f"Nothing was seen yet. Drop reports into {cli.settings.paths.inbox}")


def _rows(entry: Entry) -> list[tuple[str, ...]]:
    """A line for the file, and one for each member of an archive that is no report."""
    moment = entry.updated_at[:19].replace("T", " ")
    rows: list[tuple[str, ...]] = [(moment, entry.state, Path(entry.path).name, entry.reason)]
    if len(entry.members) > 1:
        rows += [
            ("", str(member["verdict"]), f"  {member['path'].split('!', 1)[-1]}", str(member["reason"]))
            for member in entry.members
            if member["verdict"] == "refused"
        ]
    return rows
