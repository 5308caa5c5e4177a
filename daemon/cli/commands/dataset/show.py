"""`sectune dataset show`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.cli.dataset_folder import PARTS, StageOption, Target, find_dataset, rows_of
from jobs.errors import OperatorError

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class ExampleFilter:
    """Which examples to show.

    Args:
        part: train, valid or test; None is all.
        source: Only of this source.
        cwe: Only with this CWE ("CWE-79" or "79").
        number: Only this line of its part, counted from 1.
    """

    part: str | None
    source: str | None
    cwe: str | None
    number: int | None


@app.command()
def show(  # noqa: PLR0913 - typer makes an option of each argument
    context: typer.Context,
    target: Target,
    stage: StageOption = None,
    part: Annotated[str | None, typer.Option(help="train, valid or test.")] = None,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    cwe: Annotated[str | None, typer.Option(help="Only with this CWE.")] = None,
    number: Annotated[int | None, typer.Option(help="Only this line of its part, from 1.")] = None,
    count: Annotated[int, typer.Option("--count", "-n", help="At most this many.")] = 3,
    json: Json = False,
) -> None:
    """Examples as a person reads them."""
    if part not in (None, *PARTS):
        raise OperatorError(f"There is no part {part}.", f"The parts are {', '.join(PARTS)}.")
    folder = find_dataset(context_of(context), target, stage).folder
    wanted = ExampleFilter(part, source, cwe, number)
    found = list(islice(_find_examples(folder, wanted), count))
    if json:
        told = [{"part": part, "number": number, **row} for part, number, row in found]
        terminal.emit_json({"examples": told})
    elif not found:
        terminal.note("No example matches.")
    else:
        sys.stdout.write("\n".join(_readable(*each) for each in found))


def _find_examples(folder: Path, wanted: ExampleFilter) -> Iterator[tuple[str, int, dict[str, Any]]]:
    cwe = f"CWE-{wanted.cwe.upper().removeprefix('CWE-')}" if wanted.cwe else None
    for part, number, row in rows_of(folder, (wanted.part,) if wanted.part else PARTS):
        facts = row["metadata"]
        if wanted.number not in (None, number) or wanted.source not in (None, facts["source"]):
            continue
        if cwe is None or cwe in facts.get("cwe_ids", [facts.get("cwe_id")]):
            yield part, number, row


def _readable(part: str, number: int, row: dict[str, Any]) -> str:
    facts = row["metadata"]
    marks = [name for name in ("replay_from_stage1", "augmented") if facts.get(name)]
    head = f"{part} {number}  {facts['source']}  quality {facts['quality']}  {' '.join(marks)}".rstrip()
    turns = [f"--- {turn['role']}\n{turn['content']}" for turn in row["messages"]]
    origin = f"--- from {facts.get('provenance')} ({facts.get('attribution')})"
    return "\n".join([f"{'=' * 78}", head, *turns, origin, ""])
