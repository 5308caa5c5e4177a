"""A second run on the same stage 1 trains nothing of it, unless it was asked to."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from jobs.runs.manifest import Manifest
from jobs.runs.status import UNFINISHED

pytestmark = pytest.mark.slow
EVERY_ITERATION_TOLD = {"training": {"report_every": 1}}


def iterations_trained(house, manifest: Manifest, step: str) -> list[int]:  # type: ignore[no-untyped-def]
    log = house.scene.state / "logs" / "runs" / f"{manifest.run_id}.log"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    told = [line for line in lines if line["event"] == "training" and line["step"] == step]
    return [line["iteration"] for line in told if "train_loss" in line]


def seconds_of(manifest: Manifest, name: str) -> float:
    step = manifest.step(name)
    began, ended = (datetime.fromisoformat(str(moment)) for moment in (step.started_at, step.ended_at))
    return (ended - began).total_seconds()


def test_a_second_run_does_no_stage_1_iteration_and_fresh_stage1_does_them_all(house, report: Path) -> None:  # type: ignore[no-untyped-def]
    small = {"inbox": {"gather_while_training": False}, "queue": {"reconcile_seconds": 0.5}}
    house.scene.write_settings(
        {
            **small,
            **EVERY_ITERATION_TOLD,
            "stage1": {"iters": 8},
            "stage2": {"iters": 8},
            "evaluation": {"max_cases": 2, "extra_tokens": 2},
        }
    )
    house.start()
    assert house.command("submit", str(report)).returncode == 0
    first = house.wait_for_end()
    assert first.status == "completed", first.status_reason
    assert house.command("submit", str(report.with_name("trivy.json"))).returncode == 0
    second = house.wait_for(lambda m: m.status not in UNFINISHED, which=1)
    assert second.status == "completed", second.status_reason
    assert iterations_trained(house, first, "train_1") == list(range(1, 9))
    assert iterations_trained(house, second, "train_1") == []
    assert iterations_trained(house, second, "train_2") == list(range(1, 9))
    assert second.stage1.reused_from == first.run_id
    assert seconds_of(second, "train_1") < seconds_of(first, "train_1") / 2
    assert house.command("submit", "--force", "--fresh-stage1", str(report)).returncode == 0
    third = house.wait_for(lambda m: m.step("train_1").status == "succeeded", which=2)
    assert third.stage1.reused_from is None
    assert iterations_trained(house, third, "train_1") == list(range(1, 9))
    assert house.stop() == 0
