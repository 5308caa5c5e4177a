"""Whole runs that train another way than LoRA, and one that the provider refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.fs import files

pytestmark = pytest.mark.slow
SMALL: dict[str, Any] = {
    "inbox": {"stable_seconds": 0.3, "quiet_seconds": 1, "scan_seconds": 0.5},
    "queue": {"reconcile_seconds": 0.5},
    "stage1": {"iters": 8},
    "stage2": {"iters": 8},
    "evaluation": {"max_cases": 2, "extra_tokens": 2},
}
WORDS = {"dora": "DoRA", "full": "full fine-tuning"}


@pytest.mark.parametrize("method", WORDS)
def test_a_run_of_any_method_ends_in_a_certified_model(method: str, house, report: Path) -> None:  # type: ignore[no-untyped-def]
    house.scene.write_settings({**SMALL, "training": {"method": method}})
    house.start()
    assert house.command("submit", str(report)).returncode == 0
    manifest = house.wait_for_end()
    assert manifest.status == "completed", manifest.status_reason
    for stage in (manifest.stage1, manifest.stage2):
        assert stage.artifact_types.adapters == method
        assert stage.training_params["measured"]["trainable_parameters"] > 0
    run = house.scene.models_dir / "training-runs" / manifest.run_id
    assert files.read_json(run / "validation" / "fuse.json")["max_logit_difference"] < 1e-4
    for name in ("stage1-validation.json", "stage2-validation.json"):
        assert files.read_json(run / "validation" / name)["passed"]
    entry = house.scene.models_dir / "certified" / manifest.certified.name
    assert files.read_json(entry / "metadata.json")["training_type"] == f"sequential {WORDS[method]}"
    assert house.command("models", "verify", manifest.certified.name).returncode == 0
    assert house.command("runs", "validate", manifest.run_id).returncode == 0
    assert house.stop() == 0


def test_a_run_that_the_provider_refuses_waits_for_a_person_and_says_which_setting(
    house, report: Path
) -> None:  # type: ignore[no-untyped-def]
    house.scene.write_settings({**SMALL, "stage1": {"iters": 8, "learning_rate": 0.0}})
    checked = house.command("config", "check", "--provider", "mlx")
    assert (checked.returncode, "error: stage1.learning_rate (stage 1)" in checked.stdout) == (2, True)
    house.start()
    assert house.command("submit", str(report)).returncode == 0
    manifest = house.wait_for_end()
    assert manifest.status == "needs_attention"
    assert "stage1.learning_rate" in manifest.status_reason
    assert manifest.step("train_1").error.kind == "operator"
    assert "config check" in manifest.step("train_1").error.remedy
    assert house.stop() == 0
