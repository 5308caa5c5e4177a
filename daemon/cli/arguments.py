"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print what would be done; change nothing.")]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its unambiguous end.")]
PRIORITY = "N|high|normal|low"


def parse_priority(text: str | int) -> int:
    """A priority as it is typed: a number or one of the names.

    Raises:
        typer.BadParameter: It is neither, or out of range.
    """
    from jobs.pipeline.priority import (  # the runs come with it, and not every command needs them
        HIGHEST,
        NAMED,
    )

    named = {word: str(number) for word, number in NAMED.items()}
    try:
        number = int(named.get(str(text).lower(), text))
    except ValueError:
        raise typer.BadParameter(f"'{text}' is neither a number nor one of {', '.join(NAMED)}") from None
    if abs(number) > HIGHEST:
        raise typer.BadParameter(f"{number} is not between -{HIGHEST} and {HIGHEST}")
    return number
