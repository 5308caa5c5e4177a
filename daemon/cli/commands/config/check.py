"""`sectune config check`: all that is wrong with the settings, also in a provider's eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from config.job import Problem, of_stage, setting_of
from config.load import Loaded
from config.settings import Settings
from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import context_of
from daemon.exit_codes import OK, USAGE
from jobs import base_models
from jobs.errors import OperatorError
from jobs.providers.known import find_provider
from jobs.providers.provider import Provider
from jobs.queue import missing_client, remedy_of

STAGES = (1, 2)
app = typer.Typer(add_completion=False)


@app.command()
def check(
    context: typer.Context,
    provider: Annotated[
        str | None, typer.Option(help="Also ask this provider (`sectune providers`) what it says of them.")
    ] = None,
    json: Json = False,
) -> None:
    """Check the settings and say all that is wrong at once; exit code 2 if something is."""
    loaded = context_of(context).loaded
    if provider is not None:
        raise typer.Exit(_check_with(find_provider(provider), loaded.settings, provider, json))
    _check_alone(loaded)


def _check_alone(loaded: Loaded) -> None:
    """Loading has checked them all; what is left is what they need that is not installed."""
    storage = loaded.settings.queue.storage
    if missing := missing_client(storage):
        raise OperatorError(f"queue.storage is {storage}: {missing} is not installed.", remedy_of(storage))
    changed = sum(origin != "default" for origin in loaded.origins.values())
    terminal.say(f"The settings are good: {len(loaded.origins)} in all, {changed} not at their default.")


@dataclass(frozen=True)
class Remark:
    """What a provider says of a setting, and for which stages."""

    level: str
    setting: str
    problem: Problem
    stages: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return {
            "level": self.level,
            "setting": self.setting,
            "stages": list(self.stages),
            **self.problem.to_json(),
        }


def _check_with(provider: Provider, settings: Settings, name: str, json: bool) -> int:
    """What a provider says of the settings; exit code 2 where it would refuse a run."""
    remarks = _remarks(settings, provider)
    errors = sum(remark.level == "error" for remark in remarks)
    if json:
        told = [remark.to_json() for remark in remarks]
        terminal.emit_json({"provider": name, "errors": errors, "remarks": told})
    else:
        _tell(remarks)
        would = "refuse" if errors else "train"
        terminal.say(f"{name} would {would} this (errors: {errors}, warnings: {len(remarks) - errors}).")
    return USAGE if errors else OK


def _tell(remarks: list[Remark]) -> None:
    for remark in remarks:
        stages = " and ".join(f"stage {stage}" for stage in remark.stages)
        text = f"{remark.level}: {remark.setting} ({stages}): {remark.problem.message}"
        terminal.say(f"{text} {remark.problem.remedy}".rstrip())


def _remarks(settings: Settings, provider: Provider) -> list[Remark]:
    found: dict[tuple[str, str, Problem], list[int]] = {}
    for stage in STAGES:
        verdict = provider.validate(of_stage(settings, stage, _base_model(settings)))
        for level, problems in (("error", verdict.errors), ("warning", verdict.warnings)):
            for problem in problems:
                key = (level, setting_of(problem.key, stage) or problem.key, problem)
                found.setdefault(key, []).append(stage)
    remarks = [Remark(*key, tuple(stages)) for key, stages in found.items()]
    return sorted(remarks, key=lambda remark: remark.level)  # errors first


def _base_model(settings: Settings) -> str:
    folder, name = settings.paths.models_dir / "base", settings.base_model.name
    if not base_models.is_complete(folder, name):
        return name
    return str(base_models.locate(folder, name))
