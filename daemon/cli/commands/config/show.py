"""`sectune config show`."""

from __future__ import annotations

from functools import reduce
from typing import Any

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of

app = typer.Typer(add_completion=False)


@app.command()
def show(context: typer.Context, json: Json = False) -> None:
    """Every setting, its value and where it came from."""
    loaded = context_of(context).loaded
    values = loaded.settings.model_dump(mode="json")
    if json:
        terminal.emit_json(
            {"settings": values, "origins": dict(loaded.origins), "file": str(loaded.user_file)}
        )
        return
    absent = "" if loaded.user_file.exists() else " (not there)"
    terminal.note(f"your settings file: {loaded.user_file}{absent}")
    rows = [(name, _value(values, name), origin) for name, origin in loaded.origins.items()]
    terminal.table(("setting", "value", "from"), rows)


def _value(values: dict[str, Any], name: str) -> str:
    value = reduce(lambda section, key: section[key], name.split("."), values)
    return "null" if value is None else str(value)
