"""Commands about the settings."""

from __future__ import annotations

from functools import reduce
from typing import Any

from daemon import terminal
from daemon.cli.world import World
from jobs.errors import OperatorError


def show(world: World, json: bool) -> None:
    """Every setting with its origin."""
    values = world.loaded.settings.model_dump(mode="json")
    if json:
        terminal.emit_json(
            {"settings": values, "origins": dict(world.loaded.origins), "file": str(world.loaded.user_file)}
        )
        return
    terminal.note(
        f"your settings file: {world.loaded.user_file}"
        + ("" if world.loaded.user_file.exists() else " (not there)")
    )
    rows = [(name, _value(values, name), world.loaded.origins[name]) for name in world.loaded.origins]
    terminal.table(("setting", "value", "from"), rows)


def _value(values: dict[str, Any], name: str) -> str:
    value = reduce(lambda section, key: section[key], name.split("."), values)
    return "null" if value is None else str(value)


def check(world: World) -> None:
    """Loading has checked them all; what is left is what they need that is not installed.

    Raises:
        OperatorError: The queue's client is missing.
    """
    from jobs.queue import missing_client, remedy_of

    storage = world.loaded.settings.queue.storage
    if missing := missing_client(storage):
        raise OperatorError(f"queue.storage is {storage}: {missing} is not installed.", remedy_of(storage))
    changed = sum(origin != "default" for origin in world.loaded.origins.values())
    terminal.say(
        f"The settings are good: {len(world.loaded.origins)} in all, {changed} not at their default."
    )
