"""Two machines are two daemons, each with a state folder of its own, with one queue and one models folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.runs.store import Run, RunStore

PASSWORD, PATIENCE = "correct-horse", 60.0  # as in conftest.py
Good = Callable[..., str]
Eventually = Callable[[Callable[[], bool]], None]


class Machine:
    """A daemon's home: state and inbox of its own, queue and models shared."""

    def __init__(self, home: Path, models: Path, address: Any) -> None:
        self.home, self.state, self.inbox = home, home / "state", home / "inbox"
        home.mkdir()
        values = {
            "paths": {"inbox": str(self.inbox), "models_dir": str(models), "state_dir": str(self.state)},
            "inbox": {
                "stable_seconds": 0.2,
                "quiet_seconds": 0.3,
                "scan_seconds": 1,
                "gather_while_training": False,
            },
            "queue": {"storage": address.storage, "url": address.url, "reconcile_seconds": 1},
            "base_model": {"source": None},
        }
        config = home / "config.yaml"
        config.write_text(yaml.safe_dump(values))
        self.environment = {**os.environ, "HOME": str(home), "SECTUNE_CONFIG": str(config)}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [sys.executable, "-P", "-m", "daemon", "run"]
        with (self.home / "output").open("wb") as output:
            self.process = subprocess.Popen(words, env=self.environment, stdout=output, stderr=output)

    def sectune(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "daemon", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def machines(tmp_path: Path, address: Any) -> Iterator[tuple[Machine, Machine]]:
    both = (
        Machine(tmp_path / "a", tmp_path / "models", address),
        Machine(tmp_path / "b", tmp_path / "models", address),
    )
    yield both
    for machine in both:
        machine.kill()


def parses(run: Run) -> int:
    events = [json.loads(line) for line in run.folder.events.read_text().splitlines()]
    return sum(event["event"] == "step_started" and event["step"] == "parse" for event in events)


@pytest.mark.slow
def test_two_machines_share_the_runs_and_each_is_driven_once(
    machines: tuple[Machine, Machine], tmp_path: Path, good: Good, eventually: Eventually
) -> None:
    store = RunStore(tmp_path / "models")

    def ended(count: int) -> bool:
        runs = store.list()[0]
        return len(runs) == count and all(run.manifest.status == "needs_attention" for run in runs)

    for machine in machines:
        machine.start()
        eventually(lambda machine=machine: machine.sectune("status").returncode == 0)  # type: ignore[misc]
    for number in range(4):
        for name, machine in zip("ab", machines, strict=True):
            machine.inbox.mkdir(exist_ok=True)  # the daemon holds its lock before it makes its inbox
            (machine.inbox / f"{number}.json").write_text(good(f"{name}{number}"))
        count = 2 * (number + 1)
        eventually(lambda count=count: ended(count))  # type: ignore[misc]
    assert [parses(run) for run in store.list()[0]] == [1] * 8

    # A machine that dies loses nothing that was queued: the other one drives it.
    first, second = machines
    first.kill()
    report = tmp_path / "last.json"
    report.write_text(good("last"))
    assert first.sectune("submit", str(report)).returncode == 0
    eventually(lambda: ended(9))
    assert second.sectune("queue").returncode == 0
    nothing_repeats_the_password(tmp_path)


def nothing_repeats_the_password(folder: Path) -> None:
    looked_at = 0
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "config.yaml":
            looked_at += 1
            assert PASSWORD.encode() not in file.read_bytes(), file
    assert looked_at > 20
