"""A second provider, which has nothing of MLX: it trains in a process of its own, without jobs.children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from config.job import JobConfiguration, Problem
from jobs.children.task import DeviceBusy
from jobs.errors import Stopped
from jobs.fs import files, locks
from jobs.providers import known
from jobs.providers.provider import (
    Failure,
    Handle,
    JobStatus,
    Training,
    Translation,
    Verdict,
    Workplace,
)

WORKER = Path(__file__).with_name("elsewhere_worker.py")
STEPS = 20


class Elsewhere:
    """All that the chain asks of a provider; it trains by counting, and a test says what goes wrong.

    Args:
        gate: A job ends only after this file is there.
    """

    name = "elsewhere"

    def __init__(self, gate: Path) -> None:
        self.gate = gate
        self.uses_device = False
        self.refusal: Problem | None = None
        self.warning: Problem | None = None
        self.failure: dict[str, Any] | None = None
        self.rank = 8
        self.fingerprint = "f1"
        self.processes: list[subprocess.Popen[bytes]] = []

    def validate(self, configuration: Any, training: Training | None = None) -> Verdict:
        return Verdict(
            (self.refusal,) if self.refusal else (),
            (self.warning,) if self.warning else (),
        )

    def translate(self, configuration: JobConfiguration, training: Training) -> Translation:
        assert configuration.method.lora is not None
        return Translation({"rank": configuration.method.lora.rank, "passes": 3}, self.fingerprint)

    def start(self, configuration: JobConfiguration, training: Training, workplace: Workplace) -> Handle:
        if self.uses_device and (holder := locks.lock_holder(workplace.device_lock or "")):
            raise DeviceBusy(holder)
        folder = files.private_folder(workplace.work)
        handle = Handle(self.name, f"job-{training.data_sha256}", folder).save()
        if self._state(folder).get("result") or self._works(folder):
            return handle
        order = {"gate": str(self.gate), "failure": self.failure, "rank": self.rank}
        places = {"adapters": str(training.adapters), "metrics": str(training.metrics)}
        files.write_json(folder / "order.json", {**order, **places})
        (folder / "stop").unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, str(WORKER), str(folder)], start_new_session=True)
        self.processes.append(process)
        while process.poll() is None and not self._works(folder):
            if workplace.stopping():
                raise Stopped
            time.sleep(0.01)
        return handle

    def status(self, handle: Handle, history: bool = False) -> JobStatus:
        works = self._works(handle.work)  # first: a state is written before its writer ends
        state = self._state(handle.work)
        newest = {"iteration": state.get("step"), "iterations": STEPS, "phase": "counting", "colour": "red"}
        if failure := state.get("failure"):
            return JobStatus("failed", newest=newest, error=Failure(**failure))
        if result := state.get("result"):
            return JobStatus("succeeded", 1.0, newest, result={**result, "began_at": state["began_at"]})
        if works:
            return JobStatus("running", newest=newest)
        if (handle.work / "stop").exists():
            return JobStatus("cancelled")
        return JobStatus("queued", stalled=Failure("The machine there went away.", "bug", remedy="Wait."))

    def cancel(self, handle: Handle) -> bool:
        if not self._works(handle.work):
            return False
        (handle.work / "stop").touch()
        while self._works(handle.work):
            time.sleep(0.01)
        return True

    def mismatches(self, configuration: JobConfiguration, training: Training) -> list[str]:
        assert configuration.method.lora is not None
        asked, used = (
            configuration.method.lora.rank,
            files.read_json(training.adapters / "adapter_config.json"),
        )
        return [] if used["rank"] == asked else [f"rank: asked for {asked}, used {used['rank']}"]

    @staticmethod
    def _works(folder: Path) -> bool:
        return locks.lock_holder(folder / "worker.lock") is not None

    @staticmethod
    def _state(folder: Path) -> Mapping[str, Any]:
        path = folder / "state.json"
        return dict(files.read_json(path)) if path.exists() else {}

    def executions(self, folder: Path) -> int:
        """How many workers were at work in a folder."""
        path = folder / "executions"
        return len(path.read_text()) if path.exists() else 0

    def kill(self) -> None:
        """Have the last worker die."""
        os.kill(self.processes[-1].pid, signal.SIGKILL)
        self.processes[-1].wait()


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    """The provider `elsewhere`, registered for the test; its jobs end at once, unless their gate is gone."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    provider = Elsewhere(tmp_path / "gate")
    provider.gate.touch()
    monkeypatch.setitem(known.PROVIDERS, "elsewhere", provider)
    yield provider
    for process in provider.processes:
        process.kill()
        process.wait()
