"""`sectune doctor`; the checks are in `daemon/doctor/`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.doctor.examine import examine
from daemon.exit_codes import FAILED, OK

app = typer.Typer(add_completion=False)


@app.command()
def doctor(context: typer.Context, json: Json = False) -> None:
    """Check this machine: what was seen, why it matters, how to mend it."""
    cli = context_of(context)
    checks = examine(cli.loaded, cli.files.folder)
    if json:
        terminal.emit_json({"checks": [check.to_json() for check in checks]})
    else:
        for check in checks:
            mark = terminal.styled("ok  ", "green") if check.passed else terminal.styled("FAIL", "red")
            terminal.say(mark, f" {check.id:14} {check.seen}")
            if not check.passed:
                terminal.say(f"     why it matters: {check.why}\n     fix: {check.fix}")
    raise typer.Exit(OK if all(check.passed for check in checks) else FAILED)
