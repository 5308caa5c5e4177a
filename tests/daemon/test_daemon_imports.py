from __future__ import annotations

import subprocess
import sys

HEAVY = ("mlx", "mlx_lm", "transformers", "datasets", "numpy", "pandas", "pyarrow", "torch")
LOOK = """
import importlib, json, pkgutil, sys
import daemon, daemon.cli, daemon.demo
for name in {names!r}:
    importlib.import_module(name)
print(json.dumps(sorted(set({heavy!r}) & set(sys.modules))))
"""
DAEMON = [
    "daemon.supervisor",
    "daemon.doctor.examine",
    "daemon.demo.show",
    "daemon.cli.application",
    "daemon.cli.deliveries",
    "daemon.cli.histories",
    "daemon.cli.overview",
    "daemon.cli.providers",
    "daemon.cli.settings",
    "daemon.cli.tailing",
    "jobs.pipeline.chain",
    "jobs.tasks",
    "jobs.queue",
    "jobs.registry.catalogue",
    "jobs.registry.verify",
]


def loaded(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def test_no_module_of_the_daemon_loads_what_trains() -> None:
    assert loaded(LOOK.format(names=DAEMON, heavy=HEAVY)) == "[]"


def test_status_loads_neither_the_queue_nor_a_parser() -> None:
    code = LOOK.format(
        names=["daemon.cli.application", "daemon.cli.overview", "jobs.runs.store"],
        heavy=["huey", "watchdog", "structlog", "jobs.findings.parse", "univers"],
    )
    assert loaded(code) == "[]"


def test_status_that_has_a_snapshot_loads_nothing_that_is_slow_to_import() -> None:
    slow = {"typer", "rich", "pydantic", "yaml", "structlog", "pathlib", "typing", "dataclasses", "hashlib"}
    code = (
        "import daemon.service.agent_path, daemon.cli.quick, daemon.cli.present, daemon.inbox.ledger_counts\n"
    )
    code += f"print(sorted({slow!r} & set(sys.modules)))"
    alone = subprocess.run(
        [sys.executable, "-S", "-P", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.strip()
    assert alone == "[]"
