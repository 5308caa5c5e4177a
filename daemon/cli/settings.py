"""Commands about the settings, and the agent that is made of them."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from functools import reduce
from pathlib import Path
from typing import Any

from config.load import FILE_VARIABLE, PREFIX, leaf_names
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

    logs = world.state / "logs"
    plist = property_list(_program(), _environment(world), logs / "boot.log", label)
    if problems := check(plist):
        raise OperatorError("The property list would be faulty: " + "; ".join(problems))
    sys.stdout.write(render(plist).decode("utf-8"))
    target = f"~/Library/LaunchAgents/{label}.plist"
    screen.note(f"mkdir -p {shlex.quote(str(logs))}   # launchd makes no folders")
    screen.note(f"sectune agent > {target}")
    screen.note(f"launchctl bootstrap gui/$UID {target}")


def _program() -> Path:
    # The console script of this very installation; another may come first on the PATH.
    beside = Path(sys.executable).absolute().with_name("sectune")
    if beside.exists():
        return beside
    if found := shutil.which("sectune"):
        return Path(found).absolute()
    raise OperatorError("The command sectune is not installed.", "Install it, for example with: make demo")


def _environment(world: World) -> dict[str, str]:
    if left_behind := sorted(name for name in os.environ if name.startswith(PREFIX)):
        screen.note(
            f"These are not passed on; put them into {world.loaded.user_file}: {', '.join(left_behind)}"
        )
    return {FILE_VARIABLE: str(world.loaded.user_file.absolute())} if world.loaded.user_file.exists() else {}
