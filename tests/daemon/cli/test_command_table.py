"""A command is a file named like it; a table holds its line of help; only the one that is called is read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from daemon.cli import application, commands
from daemon.cli.application import app

ROOT = Path(commands.__file__).parent
GROUPS = {"runs", "models", "config", "providers", "dataset"}


def tables() -> Iterator[tuple[str, dict[str, str]]]:
    yield "daemon.cli.commands", application.COMMANDS
    for group in sorted(GROUPS):
        module = import_module(f"daemon.cli.commands.{group}")
        yield module.__name__, module.COMMANDS


ROWS = [(f"{package}.{name}", line) for package, table in tables() for name, line in table.items()]


@pytest.mark.parametrize(("module", "line"), ROWS)
def test_the_line_of_help_in_the_table_is_the_commands_own(module: str, line: str) -> None:
    assert get_command(import_module(module).app).help == line


def test_every_file_of_the_folder_is_a_command_and_every_command_a_file() -> None:
    files = {
        ".".join(("daemon.cli.commands", *path.relative_to(ROOT).with_suffix("").parts))
        for path in ROOT.rglob("*.py")
        if path.name != "__init__.py"
    } | {f"daemon.cli.commands.{group}" for group in GROUPS}
    assert {module for module, _ in ROWS} == files
    assert len(ROWS) == 24 + 8 + 3 + 2 + 1 + 3


def loaded_by(*words: str) -> set[str]:
    """The modules of commands that a call has imported."""
    code = (
        "import sys\nfrom daemon.cli.application import app\n"
        f"try:\n    app({list(words)!r})\nexcept SystemExit:\n    pass\n"
        "print('\\n' + ' '.join(name for name in sys.modules if name.startswith('daemon.cli.commands')))"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    return {
        name.removeprefix("daemon.cli.commands").lstrip(".") for name in done.stdout.split("\n")[-2].split()
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "modules"),
    [
        (["--help"], set()),
        (["frobnicate"], set()),
        (["wait", "--help"], {"", "wait"}),
        (["runs", "--help"], {"", "runs"}),
        (["runs", "pause", "--help"], {"", "runs", "runs.pause"}),
        (["models", "list", "--help"], {"", "models", "models.list"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_call_imports_the_command_that_is_called_and_no_other(words: list[str], modules: set[str]) -> None:
    assert loaded_by(*words) == modules


def test_the_help_of_a_command_needs_no_settings_and_no_context(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: -1\n")
    for words in (["status", "--help"], ["runs", "show", "--help"], ["providers"]):
        with pytest.raises(SystemExit) as end:
            app(["--config", str(file), *words])
        assert not end.value.code


def test_the_context_carries_the_settings_file_that_the_option_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 7\n")
    with pytest.raises(SystemExit):
        app(["--config", str(file), "config", "show", "--json"])
    assert f'"file": "{file}"' in capsys.readouterr().out
    context = typer.Context(get_command(app))
    application.options(context, file)
    assert context.obj.config_file == file
    assert context.obj.settings.seed == 7
