"""`sectune providers`: the group, which lists them when no command is named."""

from __future__ import annotations

import typer

from daemon.cli.arguments import Json
from daemon.cli.lazy_group import lazy_group

COMMANDS = {"show": "What a provider can do: methods, ranges, parameters of its own."}
app = typer.Typer(
    cls=lazy_group(__name__, COMMANDS),
    help="The places that can train.",
    invoke_without_command=True,
    add_completion=False,
)


@app.callback()
def providers(context: typer.Context, json: Json = False) -> None:
    """The places that can train."""
    if context.invoked_subcommand is None:
        _print_providers(json)


def _print_providers(json: bool) -> None:
    from daemon import terminal
    from jobs.providers.known import PROVIDERS

    known = [provider.capabilities() for provider in PROVIDERS.values()]
    if json:
        terminal.emit_json([each.to_json() for each in known])
        return
    rows = [(each.provider, ", ".join(each.methods), each.description) for each in known]
    terminal.table(("provider", "methods", "what it is"), rows)
