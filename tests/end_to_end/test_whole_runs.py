"""From a dropped file to a certified model, through every disturbance this version promises to survive."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import jsonschema
import pytest

from jobs.children import life
from jobs.pipeline.step_table import STEPS
from jobs.registry.verify import verify
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import Manifest, json_schema
from jobs.runs.status import UNFINISHED

pytestmark = pytest.mark.slow
CHILD_STEPS = (
    "dataset_1",
    "train_1",
    "evaluate_1",
    "dataset_2",
    "train_2",
    "evaluate_2",
    "retention",
    "fuse",
)


def assert_written_as_the_table_says(models_dir: Path, manifest: Manifest) -> None:
    folder = RunFolder(models_dir / "training-runs" / manifest.run_id)
    for step in manifest.steps:
        places = [place for artifact in STEPS[step.name].writes for place in artifact.places(folder)]
        for output in step.outputs:
            path = folder.root / output.path
            assert any(path == place or place in path.parents for place in places), output.path
        for place in places:
            assert place.exists(), place


def assert_complete(house, manifest: Manifest) -> None:  # type: ignore[no-untyped-def]
    assert manifest.status == "completed", manifest.status_reason
    states = {step.name: step.status for step in manifest.steps}
    assert states.pop("upload") == "skipped"
    assert set(states.values()) == {"succeeded"}
    assert_written_as_the_table_says(house.scene.models_dir, manifest)
    jsonschema.validate(manifest.model_dump(mode="json"), json_schema())
    assert manifest.certified is not None
    current = house.scene.models_dir / "certified" / "CURRENT"
    assert current.resolve().name == manifest.certified.name
    assert verify(current.resolve()) == []
    page = house.scene.models_dir / "training-runs" / manifest.run_id / "report.html"
    deadline = time.monotonic() + 10  # the daemon writes it right after the manifest's last change
    while not page.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert manifest.certified.name in page.read_text()


def test_a_mixed_delivery_trains_on_the_good_report_and_names_the_fate_of_each_other(
    house, report: Path
) -> None:  # type: ignore[no-untyped-def]
    inbox = house.scene.inbox
    (inbox / "page.html").write_text("<!DOCTYPE html><html><body>scan</body></html>")
    (inbox / "empty.json").write_text("")
    (inbox / "cut.json").write_text(report.read_text()[:2000])
    shutil.copy(report, inbox / "osv.json")
    house.start()
    manifest = house.wait_for_end()
    assert_complete(house, manifest)
    assert manifest.validation.stage2_score_on_stage1 is not None
    verdicts = {item.name: (item.verdict, item.reason) for item in manifest.inputs}
    assert verdicts["osv.json"][0] == "parsed"
    assert all(verdicts[name][0] == "refused" for name in ("page.html", "cut.json"))
    assert "HTML" in str(verdicts["page.html"][1])
    listed = json.loads(house.command("inbox", "--json").stdout)["files"]
    states = {Path(item["path"]).name: item["state"] for item in listed}
    assert states == {
        "page.html": "refused",
        "empty.json": "settling",
        "cut.json": "refused",
        "osv.json": "queued",
    }
    # Browsers reserve a download's name with an empty file: it waits, and keeps nobody from going on.
    assert "empty" in next(item["reason"] for item in listed if item["path"].endswith("empty.json"))
    assert (inbox / "osv.json").read_bytes() == report.read_bytes()
    assert house.stop() == 0
    from mlx_lm import generate, load

    model, tokenizer = load(str(house.scene.models_dir / "certified" / "CURRENT"))
    assert isinstance(generate(model, tokenizer, prompt="Fix", max_tokens=3), str)


def test_status_logs_and_runs_show_tell_the_same_while_it_trains(house, report: Path) -> None:  # type: ignore[no-untyped-def]
    house.scene.write_settings({**SMALL_LONG})
    shutil.copy(report, house.scene.inbox / "osv.json")
    house.start()
    house.wait_for(
        lambda manifest: manifest.progress.step == "train_1" and (manifest.progress.iteration or 0) > 0
    )
    status = json.loads(house.command("status", "--json").stdout)
    shown = json.loads(house.command("runs", "show", status["queue"][0]["run_id"], "--json").stdout)
    assert status["daemon"]
    assert status["queue"][0]["step"] == "train_1" == shown["progress"]["step"]
    assert status["queue"][0]["progress"]["iterations"] == 60 == shown["progress"]["iterations"]
    lines = [
        json.loads(line) for line in house.command("logs", shown["run_id"], "--json").stdout.splitlines()
    ]
    logged = [line for line in lines if line["event"] == "training" and "train_loss" in line]
    at_least = status["queue"][0]["progress"]["iteration"]
    assert any(line["iteration"] >= at_least for line in logged)
    assert house.stop() == 0


SMALL_SECOND = {
    "inbox": {"stable_seconds": 0.3, "quiet_seconds": 1, "scan_seconds": 0.5},
    "queue": {"reconcile_seconds": 0.5},
    "stage1": {"iters": 8},
    "stage2": {"iters": 8},
    "evaluation": {"max_cases": 2, "extra_tokens": 2},
}
SMALL_LONG = {
    "inbox": {"stable_seconds": 0.3, "quiet_seconds": 0.5, "scan_seconds": 0.5},
    "queue": {"reconcile_seconds": 0.5},
    "stage1": {"iters": 60},
    "training": {"report_every": 1},
}


def test_a_daemon_killed_in_every_step_ends_in_the_same_completed_run(house, report: Path) -> None:  # type: ignore[no-untyped-def]
    shutil.copy(report, house.scene.inbox / "osv.json")
    killed = []
    seen: set[str] = set()
    deadline = time.monotonic() + 400
    house.start()
    while time.monotonic() < deadline:
        manifest = house.manifest()
        running = (
            next((step.name for step in manifest.steps if step.status == "running"), None)
            if manifest
            else None
        )
        if manifest is not None and manifest.status not in UNFINISHED:
            break
        if running and running not in seen:
            seen.add(running)
            house.stop(signal.SIGKILL)
            killed.append(running)
            house.start()
        time.sleep(0.005)
    assert set(CHILD_STEPS) <= set(killed)
    manifest = house.wait_for_end()
    assert_complete(house, manifest)
    assert manifest.step("train_1").attempts >= 2
    assert len(list((house.scene.models_dir / "training-runs").glob("webauthn*"))) == 1


def test_a_killed_daemon_and_trainer_go_on_and_the_child_of_a_killed_daemon_is_adopted(
    house, report: Path
) -> None:  # type: ignore[no-untyped-def]
    house.scene.write_settings({**SMALL_LONG, "training": {"report_every": 1, "checkpoint_every": 5}})
    shutil.copy(report, house.scene.inbox / "osv.json")
    house.start()
    manifest = house.wait_for(lambda m: m.progress.step == "train_1" and (m.progress.iteration or 0) >= 7)
    work = house.scene.models_dir / "training-runs" / manifest.run_id / "work" / "train_1"
    trainer = life.living(work)
    assert trainer is not None
    house.stop(signal.SIGKILL)
    house.start()
    house.wait_for(lambda m: m.step("train_1").attempts == 2 and (m.progress.iteration or 0) >= 12)
    assert life.living(work) == trainer
    house.stop(signal.SIGKILL)
    os.kill(trainer, signal.SIGKILL)
    while life.living(work):
        time.sleep(0.01)
    house.start()
    house.wait_for(lambda m: m.step("train_1").attempts == 3 and life.living(work) is not None)
    assert life.living(work) != trainer
    assert_complete(house, house.wait_for_end())
    run_log = (house.scene.state / "logs" / "runs" / f"{manifest.run_id}.log").read_text().splitlines()
    starts = [json.loads(line)["start"] for line in run_log if '"training begins"' in line]
    assert starts[0] == 0
    assert starts[1] >= 10


def test_a_second_run_takes_stage_1_over_and_a_missed_gate_keeps_the_first_model_in_use(
    house, report: Path
) -> None:  # type: ignore[no-untyped-def]
    shutil.copy(report, house.scene.inbox / "osv.json")
    house.start()
    first = house.wait_for_end()
    assert_complete(house, first)
    assert house.stop() == 0
    strict = {"gates": {"stage2_exact_match": 100.0}}
    house.scene.write_settings({**SMALL_SECOND, **strict})
    shutil.copy(report.with_name("trivy.json"), house.scene.inbox / "trivy.json")
    house.start()
    second = house.wait_for(lambda m: m.status not in UNFINISHED, which=1)
    assert second.status == "completed", second.status_reason
    assert second.stage1.reused_from == first.run_id
    adapters = [
        next(
            output.sha256
            for output in m.step("train_1").outputs
            if output.path.endswith("/adapters.safetensors")
        )
        for m in (first, second)
    ]
    assert adapters[0] == adapters[1]
    log = (house.scene.state / "logs" / "runs" / f"{second.run_id}.log").read_text()
    trained = [json.loads(line)["step"] for line in log.splitlines() if '"training begins"' in line]
    assert trained == ["train_2"]
    assert second.certified is not None
    assert second.certified.activated is False
    assert [gate.name for gate in second.validation.gates if not gate.passed] == ["stage2_exact_match"]
    assert first.certified is not None
    assert (house.scene.models_dir / "certified" / "CURRENT").resolve().name == first.certified.name
