"""A throw-away home with a real daemon in it: what it is told, and what can be seen of it from outside."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.demo.scene import MODEL, Scene
from jobs.fs import files
from jobs.runs.status import UNFINISHED

CHECKPOINT_EVERY = 5
ITERATIONS = 30
SETTINGS: dict[str, Any] = {
    "inbox": {
        "stable_seconds": 0.3,
        "quiet_seconds": 0.5,
        "scan_seconds": 0.5,
        "gather_while_training": False,  # one run for each delivery
    },
    "queue": {"reconcile_seconds": 0.5},
    "notify": {"desktop": False},
    "stage1": {"iters": ITERATIONS},
    "stage2": {"iters": ITERATIONS},
    "datasets": {"test_fraction": 0.25},  # so that small deliveries have something to be tested on
    "training": {
        "report_every": 1,  # every iteration is on record: what was done twice can be counted
        "evaluate_every": 10,
        "valid_batches": 2,
        "checkpoint_every": CHECKPOINT_EVERY,
        "reuse_stage1": False,  # every run really trains
    },
    "evaluation": {"max_cases": 2, "extra_tokens": 2},
}
START_SECONDS = 30.0


@dataclass(frozen=True)
class Glimpse:
    """What a run's manifest says at one moment."""

    run_id: str
    delivery: str  # the delivered file's name
    status: str
    step: str | None  # the first that is not done
    running: bool
    iteration: int
    iterations: int

    @property
    def ended(self) -> bool:
        """Whether nothing more is going to happen."""
        return self.status not in UNFINISHED


@dataclass(frozen=True)
class Child:
    """A living child process."""

    pid: int
    run_id: str
    step: str


class Household:
    """A home and its daemon.

    Args:
        home: Where everything goes.
        base_model: The tiny model, built before.
    """

    def __init__(self, home: Path, base_model: Path) -> None:
        self.scene = Scene(home)
        self.scene.write_settings(SETTINGS)
        self.runs_folder = self.scene.models_dir / "training-runs"
        self.output = home / "daemon.out"
        self.daemon: subprocess.Popen[bytes] | None = None
        base = files.private_folder(self.scene.models_dir / "base")
        (base / MODEL).symlink_to(base_model)
        self._child = re.compile(rf"{re.escape(str(self.runs_folder))}/([^/\s]+)/work/([^/\s]+)$")

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "SECTUNE_CONFIG": str(self.scene.config)}

    def start(self) -> None:
        """Start a daemon, as launchd would, and wait until it holds its lock.

        Raises:
            RuntimeError: It does not come up.
        """
        with self.output.open("ab") as output:
            self.daemon = subprocess.Popen(
                [sys.executable, "-P", "-m", "daemon", "run"],
                env=self._environment,
                stdout=output,
                stderr=output,
            )
        mine, deadline = f"pid {self.daemon.pid} ", time.monotonic() + START_SECONDS
        while not (files.lock_holder(self.scene.state / "daemon.lock") or "").startswith(mine):
            if self.daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The daemon does not come up: {self.output.read_text()[-2000:]}")
            time.sleep(0.01)

    def kill_daemon(self) -> int:
        """SIGKILL; returns its process id."""
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()
        return self.daemon.pid

    def stop(self) -> int | None:
        """SIGTERM; returns its exit code (None where it never ran), and leaves no child behind."""
        code = None
        if self.daemon is not None:
            self.daemon.send_signal(signal.SIGTERM)
            code = self.daemon.wait(timeout=60)
        for child in self.children():
            os.kill(child.pid, signal.SIGKILL)
        return code

    def children(self) -> list[Child]:
        """Every child of every run, also one that has no lock yet."""
        listed = subprocess.run(
            ["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True
        )
        found = []
        for line in listed.stdout.splitlines():
            pid, _, command = line.strip().partition(" ")
            if match := self._child.search(command.strip()):
                found.append(Child(int(pid), match[1], match[2]))
        return found

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "daemon", *words],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def drop(self, content: Path, name: str) -> None:
        """Put a file into the inbox in one rename."""
        draft = self.scene.home / name
        shutil.copyfile(content, draft)
        draft.replace(self.scene.inbox / name)

    def submit(self, content: Path, name: str) -> None:
        """Hand a file in by hand, although its content was seen before.

        Raises:
            RuntimeError: It was not taken.
        """
        path = files.private_folder(self.scene.home / "by-hand") / name
        shutil.copyfile(content, path)
        done = self.command("submit", "--force", str(path))
        if done.returncode:
            raise RuntimeError(f"submit {name} failed: {done.stdout}{done.stderr}")

    def manifests(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Every run's folder and manifest, as plain JSON: this is asked many times a second."""
        for path in self.runs_folder.glob("[!.]*/run-manifest.json"):
            yield path.parent, json.loads(path.read_bytes())

    def glimpses(self) -> list[Glimpse]:
        """Every run as it is now."""
        return [_glimpse(manifest) for _, manifest in self.manifests()]

    def run_log(self, run_id: str) -> list[dict[str, Any]]:
        """The lines of one run's log."""
        return list(files.read_jsonl(self.scene.state / "logs" / "runs" / f"{run_id}.log"))


def delivery_of(manifest: dict[str, Any]) -> str:
    """The delivered file that a run was made of."""
    return str(manifest["inputs"][0]["name"]).partition("!")[0]


def _glimpse(manifest: dict[str, Any]) -> Glimpse:
    undone = (step for step in manifest["steps"] if step["status"] not in ("succeeded", "skipped"))
    step = next(undone, None)
    progress = manifest["progress"]
    here = step is not None and progress["step"] == step["name"]
    return Glimpse(
        manifest["run_id"],
        delivery_of(manifest),
        manifest["status"],
        step["name"] if step else None,
        step is not None and step["status"] == "running",
        (progress["iteration"] or 0) if here else 0,
        (progress["iterations"] or 0) if here else 0,
    )
