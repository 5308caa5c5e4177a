"""`sectune demo`; all of it is in `daemon/demo/`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from daemon.demo.show import run_demo

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    home: Annotated[Path | None, typer.Option(help="Keep everything in this folder.")] = None,
) -> None:
    """Show all of it on a tiny model: a real daemon, a real training, a few minutes."""
    raise typer.Exit(run_demo(home))
