"""`sectune parse`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from jobs.findings.files.limits import limits_of
from jobs.findings.parse import FileReport, Parsed, parse_paths

app = typer.Typer(add_completion=False)


@app.command()
def parse(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Reports, folders or archives.", exists=True)],
    source: Annotated[
        Path | None, typer.Option(help="A checkout of the scanned code.", exists=True, file_okay=False)
    ] = None,
    json: Json = False,
) -> None:
    """Read reports without training: a verdict for every file, and the findings."""
    settings = context_of(context).settings
    parsed = parse_paths(paths, limits_of(settings), source=source or settings.findings.source)
    if json:
        terminal.emit_json(parsed.to_json())
    else:
        _show(parsed)


def _show(parsed: Parsed) -> None:
    columns = ("file", "verdict", "tool", "format", "findings", "reason")
    terminal.table(columns, [_row(report) for report in parsed.files])
    raw = sum(report.raw_findings for report in parsed.files)
    terminal.say(f"\n{len(parsed.files)} files, {raw} findings, {len(parsed.findings)} of them distinct")
    if found := parsed.context:
        terminal.note(
            f"{found.found} of {found.places} places were found in the checkout, {found.missing} were not, "
            f"{found.different} hold other code"
        )


def _row(report: FileReport) -> tuple[object, ...]:
    remark = report.reason or "; ".join(report.warnings)
    return (report.path, report.verdict, report.tool, report.format, report.raw_findings, remark)
