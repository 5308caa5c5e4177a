"""The command `models pull`: a base model from the Hub, by a child process, with its progress shown."""

from __future__ import annotations

from typing import Any

from daemon import terminal
from daemon.cli.world import World
from daemon.exit_codes import OK
from jobs import base_models
from jobs.children import parent


def pull(world: World) -> int:
    """Fetch and convert the base model that the settings name; returns the exit code."""
    settings = world.loaded.settings
    folder = settings.paths.models_dir / "base"
    if base_models.is_complete(folder, settings.base_model.name):
        terminal.note(f"{settings.base_model.name} is there and complete.")
        return OK
    work = world.files.pulls / settings.base_model.name
    task = parent.Task(
        module="jobs.mlx.pull",
        work=work,
        payload=base_models.pull_request(folder, settings.base_model),
        log=world.files.pull_log,
    )
    parent.forget(work)
    result = parent.drive(task, _shown, lambda: False)
    terminal.say(f"{result['target']}: {result['bytes'] / 1e9:.2f} GB")
    return OK


def _shown(facts: dict[str, Any]) -> None:
    if phase := facts.get("phase"):
        terminal.note(str(phase))
