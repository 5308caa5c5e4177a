"""The command `models pull`: a base model from the Hub, by a child process, with its progress shown."""

from __future__ import annotations

from typing import Any

from daemon.cli import screen
from daemon.cli.world import OK, World
from jobs import base_models, children


def pull(world: World) -> int:
    """Fetch and convert the base model that the settings name; returns the exit code."""
    settings = world.loaded.settings
    folder = settings.paths.models_dir / "base"
    if base_models.is_complete(folder, settings.base_model.name):
        screen.note(f"{settings.base_model.name} is there and complete.")
        return OK
    work = world.state / "pull" / settings.base_model.name
    task = children.Task(
        module="jobs.mlx.pull",
        work=work,
        payload=base_models.pull_request(folder, settings.base_model),
        log=world.state / "logs" / "pull.log",
    )
    children.forget(work)
    result = children.drive(task, _shown, lambda: False)
    screen.say(f"{result['target']}: {result['bytes'] / 1e9:.2f} GB")
    return OK


def _shown(facts: dict[str, Any]) -> None:
    if phase := facts.get("phase"):
        screen.note(str(phase))
