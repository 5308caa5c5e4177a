from __future__ import annotations

import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import daemon

HEAVY = ("mlx", "mlx_lm", "transformers", "datasets", "numpy", "pandas", "pyarrow", "torch")
SLOW = {"typer", "rich", "pydantic", "yaml", "structlog", "pathlib", "typing", "dataclasses", "hashlib"}
LOOK = """
import importlib, json, sys
for name in {names!r}:
    importlib.import_module(name)
print(json.dumps(sorted(set({heavy!r}) & set(sys.modules))))
"""
DAEMON = [
    *(
        module.name
        for module in pkgutil.walk_packages(daemon.__path__, "daemon.")
        if not module.name.startswith("daemon.demo.data") and module.name != "daemon.__main__"
    ),
    "jobs.pipeline.chain",
    "jobs.tasks",
    "jobs.queue",
    "jobs.registry.catalogue",
    "jobs.registry.verify",
]


def light_modules() -> list[str]:
    """The modules that the contract `What status loads is light` names."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    (contract,) = [each for each in contracts if each["name"] == "What status loads is light"]
    return list(contract["source_modules"])


def loaded(code: str, *options: str) -> str:
    return subprocess.run(
        [sys.executable, *options, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


@pytest.mark.slow
def test_no_module_of_the_daemon_loads_what_trains() -> None:
    assert "daemon.cli.commands.runs.show" in DAEMON
    assert loaded(LOOK.format(names=DAEMON, heavy=HEAVY)) == "[]"


def test_status_loads_neither_the_queue_nor_a_parser() -> None:
    code = LOOK.format(
        names=[
            "daemon.cli.application",
            "daemon.cli.commands.status",
            "daemon.cli.commands.queue",
            "jobs.runs.store",
        ],
        heavy=["huey", "watchdog", "structlog", "jobs.findings.parse", "univers"],
    )
    assert loaded(code) == "[]"


@pytest.mark.slow
def test_the_parsers_are_loaded_when_the_intake_is_prepared_and_not_before() -> None:
    look = "print([name in sys.modules for name in ('jobs.findings.parse', 'jobs.pipeline.chain')])\n"
    code = f"import sys\nfrom daemon.inbox import intake\n{look}intake.prepare()\n{look}"
    assert loaded(code).splitlines() == ["[False, False]", "[True, True]"]


def test_status_that_has_a_snapshot_loads_nothing_that_is_slow_to_import() -> None:
    modules = light_modules()
    assert {"daemon.cli.quick.status", "daemon.cli.quick.quick", "daemon.inbox.ledger_counts"} <= set(modules)
    code = f"import sys; sys.path[:0] = {sys.path!r}\nimport {', '.join(modules)}\n"
    code += f"print(sorted({SLOW!r} & set(sys.modules)))"
    assert loaded(code, "-S") == "[]"
