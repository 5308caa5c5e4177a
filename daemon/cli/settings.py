"""Commands about the settings, and the agent that is made of them."""

from __future__ import annotations

import shutil
import sys
from functools import reduce
from pathlib import Path
from typing import Any

from config.load import leaf_names
from daemon.cli import screen
from daemon.cli.world import World
from jobs.errors import OperatorError


def show(world: World, json: bool) -> None:
    """Every setting with its origin."""
    values = world.loaded.settings.model_dump(mode="json")
    if json:
        screen.emit_json(
            {"settings": values, "origins": dict(world.loaded.origins), "file": str(world.loaded.user_file)}
        )
        return
    screen.note(
        f"your settings file: {world.loaded.user_file}"
        + ("" if world.loaded.user_file.exists() else " (not there)")
    )
    rows = [(name, _value(values, name), world.loaded.origins[name]) for name in leaf_names()]
    screen.table(("setting", "value", "from"), rows)


def _value(values: dict[str, Any], name: str) -> str:
    value = reduce(lambda section, key: section[key], name.split("."), values)
    return "null" if value is None else str(value)


def check(world: World) -> None:
    """Loading has checked them all."""
    changed = sum(origin != "default" for origin in world.loaded.origins.values())
    screen.say(f"The settings are good: {len(world.loaded.origins)} in all, {changed} not at their default.")


def print_agent(world: World, label: str) -> None:
    """The property list on stdout, ready to be saved."""
    from launchd.agent import check, property_list, render

    program = shutil.which("sectune") or sys.argv[0]
    log = world.state / "logs" / "boot.log"
    plist = property_list(Path(program).absolute(), {}, log, label)
    if problems := check(plist):
        raise OperatorError("The property list would be faulty: " + "; ".join(problems))
    sys.stdout.write(render(plist).decode("utf-8"))
    screen.note(
        f"Save it as ~/Library/LaunchAgents/{label}.plist, then: launchctl bootstrap gui/$UID <that file>"
    )
