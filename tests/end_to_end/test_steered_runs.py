"""A training that is paused goes on later from its checkpoint; one that is cancelled lets the device go."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jobs.fs import files
from jobs.runs.manifest import Manifest

pytestmark = pytest.mark.slow
LONG = {
    "inbox": {"stable_seconds": 0.3, "quiet_seconds": 0.5, "scan_seconds": 0.5},
    "queue": {"reconcile_seconds": 0.5},
    "stage1": {"iters": 60},
    "stage2": {"iters": 8},
    "training": {"report_every": 1, "checkpoint_every": 10},
    "evaluation": {"max_cases": 2, "extra_tokens": 2},
}


@pytest.fixture
def report() -> Path:
    from daemon.demo.scene import DATA

    return DATA / "reports" / "osv.json"


def far_enough(manifest: Manifest) -> bool:
    progress = manifest.progress
    return progress.step == "train_1" and (progress.iteration or 0) >= 15


def starts_of(house, run_id: str) -> list[int]:  # type: ignore[no-untyped-def]
    log = (house.scene.state / "logs" / "runs" / f"{run_id}.log").read_text()
    lines = [json.loads(line) for line in log.splitlines() if '"training begins"' in line]
    return [line["start"] for line in lines if line["step"] == "train_1"]


def test_a_paused_training_frees_the_device_and_goes_on_from_its_checkpoint(house, report: Path) -> None:  # type: ignore[no-untyped-def]
    house.scene.write_settings(LONG)
    shutil.copy(report, house.scene.inbox / "osv.json")
    house.start()
    run_id = house.wait_for(far_enough).run_id
    assert house.command("runs", "pause", run_id).returncode == 0
    paused = house.wait_for(lambda manifest: manifest.status == "paused", patience=60)
    assert paused.step("train_1").failures == 0
    assert files.lock_holder(house.scene.state / "device.lock") is None
    assert house.command("wait", run_id).returncode == 5
    assert house.command("runs", "resume", run_id).returncode == 0
    assert house.command("wait", run_id, "--timeout", "100").returncode == 0
    first, second = starts_of(house, run_id)
    assert first == 0
    assert second >= 10
    assert house.stop() == 0


def test_a_training_that_outlived_its_daemon_is_cancelled_from_the_command_line(house, report: Path) -> None:  # type: ignore[no-untyped-def]
    house.scene.write_settings(LONG)
    shutil.copy(report, house.scene.inbox / "osv.json")
    house.start()
    run_id = house.wait_for(far_enough).run_id
    assert house.stop() == 0
    assert files.lock_holder(house.scene.state / "device.lock") is not None
    assert house.command("runs", "cancel", run_id).returncode == 0
    assert files.lock_holder(house.scene.state / "device.lock") is None
    assert house.manifest().status == "cancelled"
    assert house.command("wait", run_id).returncode == 1
