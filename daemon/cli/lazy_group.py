"""Groups of commands of which only the one that is called is imported.

Each command is a module of its package, named like it, with a typer application `app`. Until it is called, a
group knows its name and its line of help; that the line is the command's own, a test sees to.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


def lazy_group(package: str, commands: Mapping[str, str]) -> type[TyperGroup]:
    """The class of a group, for `typer.Typer(cls=...)`.

    Args:
        package: Where the commands' modules are.
        commands: The line of help of each, by name, in the order in which they are listed.
    """

    class LazyGroup(TyperGroup):
        """A group whose commands are imported when they are called."""

        def __init__(self, **attributes: Any) -> None:
            known = {name: TyperCommand(name, help=line) for name, line in commands.items()}
            super().__init__(**{**attributes, "commands": known})

        def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
            """Find the command that is called, and import it."""
            name, command, rest = super().resolve_command(ctx, args)
            if command is not None:
                command = get_command(import_module(f"{package}.{command.name}").app)
            return name, command, rest

    return LazyGroup
