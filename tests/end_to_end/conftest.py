"""Whole runs of a real daemon on a throw-away home, with a tiny model and a small delivery."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.scene import DATA, MODEL, Scene
from jobs.children import parent, protocol
from jobs.fs import files
from jobs.runs.manifest import Manifest
from jobs.runs.status import UNFINISHED
from jobs.runs.store import RunStore

SMALL: dict[str, Any] = {
    "inbox": {"stable_seconds": 0.3, "quiet_seconds": 1, "scan_seconds": 0.5},
    "queue": {"reconcile_seconds": 0.5},
    "stage1": {"iters": 8},
    "stage2": {"iters": 8},
    "evaluation": {"max_cases": 2, "extra_tokens": 2},
}


class House:
    """A throw-away home and the daemon in it."""

    def __init__(self, home: Path) -> None:
        self.scene = Scene(home)
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SECTUNE_CONFIG": str(self.scene.config)}

    def start(self) -> None:
        with (self.scene.home / "daemon.out").open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "daemon", "run"],
                env=self.environment,
                stdout=output,
                stderr=output,
            )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(timeout=30)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "daemon", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def manifest(self, which: int = 0) -> Manifest | None:
        runs = RunStore(self.scene.models_dir).list()[0]
        return runs[which].manifest if len(runs) > which else None

    def wait_for(
        self, condition: Callable[[Manifest], bool], patience: float = 240.0, which: int = 0
    ) -> Manifest:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            manifest = self.manifest(which)
            if manifest is not None and condition(manifest):
                return manifest
            time.sleep(0.02)
        output = (self.scene.home / "daemon.out").read_text()[-3000:]
        raise AssertionError(f"waited in vain; manifest: {self.manifest()}\n{output}")

    def wait_for_end(self) -> Manifest:
        return self.wait_for(lambda manifest: manifest.status not in UNFINISHED)

    def stop_children(self) -> None:
        for lock in self.scene.home.rglob(protocol.LOCK):
            parent.stop(lock.parent)


@pytest.fixture(scope="session")
def base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("base")
    scene = Scene(home)
    scene.write_settings()
    scene.build_base_model(lambda facts: None, steps=0)
    return scene.models_dir / "base" / MODEL


@pytest.fixture
def house(base_model: Path, tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "house")
    house.scene.write_settings(SMALL)
    target = house.scene.models_dir / "base"
    files.private_folder(target)
    (target / MODEL).symlink_to(base_model)
    yield house
    if house.process is not None and house.process.poll() is None:
        house.process.kill()
        house.process.wait()
    with contextlib.suppress(ProcessLookupError):
        house.stop_children()


@pytest.fixture
def report() -> Path:
    """A report whose findings have fixes."""
    return DATA / "reports" / "osv.json"
