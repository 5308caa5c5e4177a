"""A disk that fills up in the middle of a run: it waits, says why, loses nothing and goes on by itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jobs.children import protocol
from jobs.fs import files
from jobs.pipeline import disk_budget
from jobs.pipeline.context import Host, Job
from jobs.pipeline.step_table import STEPS
from jobs.runs.manifest import Manifest
from jobs.runs.store import RunStore

pytestmark = pytest.mark.slow
MEGABYTES = 64
RESERVE_MB = 2
EVERY = 5
SETTINGS: dict[str, Any] = {
    "inbox": {"stable_seconds": 0.3, "quiet_seconds": 0.5, "scan_seconds": 0.5},
    "queue": {"reconcile_seconds": 0.5},
    "disk": {"reserve_mb": RESERVE_MB},
    "stage1": {"iters": 60},
    "stage2": {"iters": 8},
    "training": {"report_every": 1, "checkpoint_every": EVERY},
    "evaluation": {"max_cases": 2, "extra_tokens": 2},
}
# The daemon itself, but for a gate in front of the quickest step, so that the disk is filled just then.
LAUNCH = """
import sys, time
from pathlib import Path
from dataclasses import replace
from jobs.pipeline.step_table import STEPS

gate, parse = Path(sys.argv[1]), STEPS["parse"].do

def gated(job):
    (gate / "begun").touch()
    while not (gate / "go").exists():
        time.sleep(0.01)
    return parse(job)

STEPS["parse"] = replace(STEPS["parse"], do=gated)
sys.argv = ["sectune", "run"]
from daemon.cli import main
main()
"""


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A file system of 64 MB; where none can be made, the test is skipped with the reason."""
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "sectune-test", str(folder)]
    try:
        made = subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if made.returncode:
        pytest.skip(f"no small file system can be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "house") as folder:  # where the house will be
        yield folder


@pytest.fixture
def small_state(house: Any) -> Iterator[Path]:
    """The state folder alone on a small disk."""
    with mounted(house.scene.state) as folder:
        yield folder
        if house.process is not None and house.process.poll() is None:
            house.stop()
        house.stop_children()


@pytest.fixture
def cramped(small_disk: Path, house: Any, tmp_path: Path) -> Any:
    """A house on the small disk, and its daemon with the gate."""
    assert house.scene.home == small_disk
    house.scene.write_settings(SETTINGS)
    house.gate = files.private_folder(tmp_path / "gate")
    with (house.scene.home / "daemon.out").open("wb") as output:
        house.process = subprocess.Popen(
            [sys.executable, "-P", "-c", LAUNCH, str(house.gate)],
            env=house.environment,
            stdout=output,
            stderr=output,
        )
    return house


class Ballast:
    """Fills a disk to its last byte, and makes room again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "ballast"

    def fill(self) -> None:
        for size in (1 << 20, 1 << 12, 1):
            with self.path.open("ab", buffering=0) as stream:
                try:
                    while stream.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue

    def remove(self) -> None:
        self.path.unlink()


def wait_until(condition: Callable[[], Any], what: str, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.01)


def waits_in(step: str) -> Callable[[Manifest], bool]:
    def waits(manifest: Manifest) -> bool:
        due = manifest.next_step()
        assert manifest.status in ("queued", "in_progress", "waiting"), manifest.status_reason
        return due is not None and due.name == step and manifest.status == "waiting"

    return waits


def assert_it_waits_and_says_why(house: Any, step: str) -> None:
    house.wait_for(waits_in(step), patience=60)
    manifest = house.wait_for(lambda manifest: f"{step} needs" in (manifest.status_reason or ""), patience=20)
    reason = manifest.status_reason
    assert reason.startswith("waits for ")
    assert f"on the disk of {house.scene.models_dir}" in reason
    assert manifest.step(step).failures == 0
    for words in (("status",), ("queue",), ("runs", "show", manifest.run_id)):
        said = house.command(*words)
        assert "waits for" in said.stdout.replace("\n", " "), (words, said)
    time.sleep(1.5)  # three rounds of the reconciler, which must not make it worse
    again = house.manifest()
    assert (again.status, again.step(step).failures) == ("waiting", 0)
    assert again.step(step).attempts == manifest.step(step).attempts
    assert house.process.poll() is None


def in_its_child(house: Any, step: str) -> bool:
    manifest = house.manifest()
    folder = house.scene.models_dir / "training-runs" / manifest.run_id / "work" / step
    return files.lock_holder(folder / protocol.LOCK) is not None


def trained(house: Any) -> int:
    progress = house.manifest().progress
    return progress.iteration or 0 if progress.step == "train_1" else 0


def test_a_disk_that_fills_during_parse_dataset_training_and_fuse_costs_only_time(
    cramped: Any, small_disk: Path, report: Path
) -> None:
    house, ballast = cramped, Ballast(small_disk)
    shutil.copy(report, house.scene.inbox / "osv.json")

    def filled(step: str, moment: Callable[[], bool]) -> None:
        wait_until(lambda: house.process.poll() is not None or moment(), f"the middle of {step}")
        assert house.process.poll() is None, (house.scene.home / "daemon.out").read_text()[-3000:]
        ballast.fill()
        if step == "parse":
            (house.gate / "go").touch()
        assert_it_waits_and_says_why(house, step)
        ballast.remove()
        house.wait_for(lambda manifest: manifest.step(step).status in ("running", "succeeded"), patience=20)

    filled("parse", (house.gate / "begun").exists)
    filled("dataset_1", lambda: in_its_child(house, "dataset_1"))
    filled("train_1", lambda: trained(house) >= 12)
    filled("fuse", lambda: in_its_child(house, "fuse"))
    manifest = house.wait_for_end()
    assert (manifest.status, manifest.status_reason) == ("completed", None)
    assert [step.failures for step in manifest.steps] == [0] * len(manifest.steps)
    run = RunStore(house.scene.models_dir).open(manifest.run_id)
    assert house.command("runs", "validate", manifest.run_id).returncode == 0
    assert [row["event"] for row in files.read_jsonl(run.folder.events)].count("run_completed") == 1
    assert not run.folder.reserve_file.exists()
    (resumed,) = [row for row in files.read_jsonl(run.folder.stage1.metrics) if row.get("resumed")]
    assert resumed["iteration"] >= 10  # the last checkpoint before the disk was full
    assert json.loads(house.command("inbox", "--json").stdout)["files"][0]["state"] == "queued"
    for step in manifest.steps:
        assert_the_estimate_was_enough(Job(run, run.settings(), host_of(house), step.name))
    assert house.stop() == 0
    assert "Traceback" not in (house.scene.home / "daemon.out").read_text()


def test_a_state_folder_on_a_full_disk_of_its_own_is_waited_for_too(
    small_state: Path, house: Any, report: Path
) -> None:
    house.scene.write_settings(SETTINGS)
    ballast = Ballast(small_state)
    shutil.copy(report, house.scene.inbox / "osv.json")
    house.start()
    wait_until(lambda: (house.manifest() is not None) and trained(house) >= 12, "a training")
    ballast.fill()  # no log line, no message and no lock finds room, but the manifest does
    manifest = house.wait_for(lambda manifest: manifest.status == "waiting", patience=60)
    assert f"on the disk of {small_state}" in manifest.status_reason
    assert manifest.step("train_1").failures == 0
    assert "too little room" in house.command("status").stderr
    time.sleep(1.5)
    assert house.process.poll() is None
    ballast.remove()
    manifest = house.wait_for_end()
    assert manifest.status == "completed"
    assert [step.failures for step in manifest.steps] == [0] * len(manifest.steps)
    assert house.command("runs", "validate", manifest.run_id).returncode == 0
    output = (house.scene.home / "daemon.out").read_text()
    assert "the disk is full" in output
    assert "the log is written again" in output
    assert "Traceback" not in output


def host_of(house: Any) -> Host:
    return Host(house.scene.models_dir, house.scene.state)


def assert_the_estimate_was_enough(job: Job) -> None:
    written = sum(output.bytes for output in job.manifest.step(job.step).outputs)
    assert sum(disk_budget.needs(job, STEPS[job.step].estimate).values()) >= written
