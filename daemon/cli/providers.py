"""Commands about the places that can train: what they can do, and what they say of the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from config.job import Problem, of_stage, setting_of
from daemon import terminal
from daemon.cli.world import World
from daemon.exit_codes import OK, USAGE
from jobs import base_models
from jobs.providers.known import PROVIDERS, named
from jobs.providers.provider import Capabilities, Parameter, Provider

STAGES = (1, 2)


def list_providers(json: bool) -> None:
    """Every provider in a line."""
    known = [provider.capabilities() for provider in PROVIDERS.values()]
    if json:
        terminal.emit_json([each.to_json() for each in known])
        return
    rows = [(each.provider, ", ".join(each.methods), each.description) for each in known]
    terminal.table(("provider", "methods", "what it is"), rows)


def show(name: str, json: bool) -> None:
    """All that one provider can do."""
    capabilities = named(name).capabilities()
    if json:
        terminal.emit_json(capabilities.to_json())
        return
    terminal.say(f"{capabilities.provider}: {capabilities.description}")
    terminal.say()
    terminal.table(("method", "what is trained"), capabilities.methods.items())
    terminal.say()
    terminal.table(("can", ""), _abilities(capabilities))
    terminal.say()
    terminal.table(
        ("tighter range", "", "because"),
        [(limit.key, limit.limit, limit.reason) for limit in capabilities.limits],
    )
    terminal.say()
    terminal.table(
        ("parameter (metadata)", "type", "default", "limits", "what it is"),
        [_row(parameter) for parameter in capabilities.parameters],
    )


def _row(parameter: Parameter) -> tuple[str, ...]:
    name = f"{parameter.name} (required)" if parameter.required else parameter.name
    return name, parameter.type, _shown(parameter.default), parameter.limits, parameter.description


def _abilities(capabilities: Capabilities) -> list[tuple[str, str]]:
    return [
        ("base models in", ", ".join(capabilities.precisions)),
        ("optimizers", ", ".join(capabilities.optimizers)),
        ("schedulers", ", ".join(capabilities.schedulers)),
        ("optimizations, if asked for", ", ".join(capabilities.optimizations)),
        ("optimizations, always in use", ", ".join(capabilities.always)),
    ]


def _shown(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


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


def check(world: World, name: str, json: bool) -> int:
    """What a provider says of the settings; exit code 2 where it would refuse a run."""
    remarks = _remarks(world, named(name))
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


def _remarks(world: World, provider: Provider) -> list[Remark]:
    settings = world.loaded.settings
    found: dict[tuple[str, str, Problem], list[int]] = {}
    for stage in STAGES:
        verdict = provider.validate(of_stage(settings, stage, _base_model(world)))
        for level, problems in (("error", verdict.errors), ("warning", verdict.warnings)):
            for problem in problems:
                key = (level, setting_of(problem.key, stage) or problem.key, problem)
                found.setdefault(key, []).append(stage)
    remarks = [Remark(*key, tuple(stages)) for key, stages in found.items()]
    return sorted(remarks, key=lambda remark: remark.level)  # errors first


def _base_model(world: World) -> str:
    settings = world.loaded.settings
    folder, name = settings.paths.models_dir / "base", settings.base_model.name
    if not base_models.is_complete(folder, name):
        return name
    return str(base_models.locate(folder, name))
