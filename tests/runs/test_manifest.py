"""The manifest: its schema ships with it, and what it holds is checked on every assignment."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from jobs.clock import now
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import Manifest, Progress, json_schema, seconds_between
from jobs.runs.store import Run


@pytest.fixture
def shipped() -> dict[str, Any]:
    text = resources.files("jobs.runs").joinpath("manifest.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def test_the_shipped_schema_is_the_generated_one(shipped: dict[str, Any]) -> None:
    assert shipped == json_schema(), (
        "write it again: python -m jobs.runs.manifest > jobs/runs/manifest.schema.json"
    )


@pytest.mark.slow
def test_a_fresh_manifest_is_valid_and_a_changed_one_is_not(
    shipped: dict[str, Any], make_run: Callable[..., Run]
) -> None:
    jsonschema.Draft202012Validator.check_schema(shipped)
    validator = jsonschema.Draft202012Validator(shipped)
    fresh = json.loads(make_run().folder.manifest.read_text())
    validator.validate(fresh)
    for change in ({"version": "1.0"}, {"status": "happy"}, {"colour": "red"}, {"final_model_path": "/abs"}):
        assert not validator.is_valid({**fresh, **change}), change
    assert not validator.is_valid({key: value for key, value in fresh.items() if key != "version"})


def test_a_fresh_manifest_invents_no_number(make_run: Callable[..., Run]) -> None:
    manifest = make_run().manifest
    assert set(manifest.validation.model_dump(exclude={"gates"}).values()) == {None}
    assert set(manifest.progress.model_dump().values()) == {None}
    assert manifest.total_duration_seconds is None
    assert manifest.certified is None


def test_two_manifests_share_nothing(make_run: Callable[..., Run]) -> None:
    first, second = make_run().manifest, make_run().manifest
    first.validation.stage1_score = 1.0
    first.steps[0].outputs.append(None)  # type: ignore[arg-type]
    first.stage1.training_params["a"] = 1
    first.stage1.artifact_types.adapters = "lora"
    assert second.validation.stage1_score is None
    assert second.steps[0].outputs == []
    assert second.stage1.training_params == {}
    assert first.progress is not second.progress


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_what_is_no_number_cannot_become_progress(loss: float) -> None:
    with pytest.raises(ValidationError):
        Progress(train_loss=loss)


def test_assignments_are_checked(make_run: Callable[..., Run]) -> None:
    manifest = make_run().manifest
    with pytest.raises(ValidationError):
        manifest.status = "happy"  # type: ignore[assignment]
    with pytest.raises(ValidationError):
        manifest.timestamp = "yesterday"
    with pytest.raises(KeyError):
        manifest.step("no such step")


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers())
def test_progress_survives_its_json(loss: float, iteration: int) -> None:
    progress = Progress(train_loss=loss, iteration=iteration, updated_at=now())
    assert Progress.model_validate_json(progress.model_dump_json()) == progress


def test_the_present_is_written_in_utc_and_can_be_subtracted() -> None:
    assert now().endswith("Z")
    assert seconds_between("2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.500Z") == 60.5
    assert seconds_between("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.250Z") == 0.25


def test_a_manifest_survives_its_json(make_run: Callable[..., Run]) -> None:
    manifest = make_run().manifest
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_every_path_of_a_run_lies_below_its_folder(make_run: Callable[..., Run]) -> None:
    folder = make_run().folder
    paths = [
        getattr(part, name)
        for part in (folder, folder.stage1, folder.stage2)
        for name, value in vars(type(part)).items()
        if isinstance(value, property)
    ]
    assert len(paths) > 20
    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(folder.root) for path in paths)
    assert RunFolder(folder.root).relative(folder.stage1.adapters) == "./stage1/adapters"
