"""`sectune providers show`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from daemon import terminal
from daemon.cli.arguments import Json
from jobs.providers.known import find_provider
from jobs.providers.provider import Capabilities, Parameter

app = typer.Typer(add_completion=False)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A provider's name, for example mlx.")], json: Json = False
) -> None:
    """What a provider can do: methods, ranges, parameters of its own."""
    capabilities = find_provider(name).capabilities()
    if json:
        terminal.emit_json(capabilities.to_json())
    else:
        _show(capabilities)


def _show(capabilities: Capabilities) -> None:
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
    return name, parameter.type, _value(parameter.default), parameter.limits, parameter.description


def _abilities(capabilities: Capabilities) -> list[tuple[str, str]]:
    return [
        ("base models in", ", ".join(capabilities.precisions)),
        ("optimizers", ", ".join(capabilities.optimizers)),
        ("schedulers", ", ".join(capabilities.schedulers)),
        ("optimizations, if asked for", ", ".join(capabilities.optimizations)),
        ("optimizations, always in use", ", ".join(capabilities.always)),
    ]


def _value(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
