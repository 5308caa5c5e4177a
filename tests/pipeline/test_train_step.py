"""The training step asks the provider first: a refused job is not started, warnings are on record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from config.job import of_stage
from config.load import state_dir
from config.settings import Settings
from jobs import base_models
from jobs.children import parent
from jobs.children.task import Task
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.pipeline.context import Host, Job
from jobs.pipeline.steps import train
from jobs.providers.mlx.provider import Mlx
from jobs.providers.mlx.request import MODULE, training_request
from jobs.providers.provider import Handle
from jobs.runs.manifest import Output
from jobs.runs.store import Run

SettingsWith = Callable[[Mapping[str, str]], Settings]
Prepared = Callable[..., Job]


class Started(Exception):
    """A child would be started with this task."""


@pytest.fixture
def prepared(
    make_run: Callable[..., Run],
    settings_with: SettingsWith,
    base_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Prepared:
    """A run in front of its first training; a child is only named, not started."""

    def build(**changes: str) -> Job:
        settings = settings_with({key.replace("__", "."): value for key, value in changes.items()})
        run = make_run(settings)
        run.manifest.provenance.base_model_sha256 = "0" * 64
        run.manifest.step("dataset_1").outputs = [Output(path="./x", sha256="1" * 64, bytes=1)]
        run.folder.stage1.training_data.mkdir(parents=True)
        for name in ("train", "valid", "test"):
            (run.folder.stage1.training_data / f"{name}.jsonl").write_text(f'{{"part": "{name}"}}\n')
        return Job(run, settings, Host(settings.paths.models_dir, state_dir(settings)), "train_1")

    def started(task: Task, stopping: Callable[[], bool]) -> None:
        raise Started(task)

    monkeypatch.setattr(parent, "start", started)
    return build


def test_a_run_is_asked_for_as_a_job_and_its_handle_outlives_the_daemon(prepared: Prepared) -> None:
    job = prepared()
    with pytest.raises(Started) as caught:
        train.run(job, stage=1)
    (task,) = caught.value.args
    assert task.module == MODULE
    training = train._training(job, 1)
    asked = of_stage(job.settings, 1, str(training.base_model), train._data(training.data))
    assert task.payload == training_request(asked, training)
    handle = Handle.load(job.folder.work("train_1"))
    assert handle is not None
    assert (handle.provider, handle.id) == ("mlx", task.key)
    assert Mlx().status(handle).status == "queued"


def test_a_refused_job_names_the_setting_and_what_to_do(prepared: Prepared) -> None:
    job = prepared(stage1__learning_rate="0", training__lora__dropout="1.0", training__method="qlora")
    with pytest.raises(OperatorError) as caught:
        train.run(job, stage=1)
    for name in ("stage1.learning_rate", "training.lora.dropout", "training.method"):
        assert name in caught.value.message
    assert "sectune config check --provider mlx" in caught.value.remedy
    assert Handle.load(job.folder.work("train_1")) is None


def test_warnings_and_what_was_asked_for_are_in_the_manifest(prepared: Prepared) -> None:
    job = prepared(training__method="full", training__schedule__min_lr_ratio="0.5")
    with pytest.raises(Started):
        train.run(job, stage=1)
    stage = job.run.manifest.stage1
    assert (stage.training_params["provider"], stage.training_params["method"]) == ("mlx", "full")
    assert stage.training_params["fine_tune_type"] == "full"
    (warning,) = stage.training_params["warnings"]
    assert warning.startswith("training.schedule.min_lr_ratio:")
    assert stage.artifact_types.adapters == "full"
    assert files.read_json(job.folder.manifest)["stage1"]["training_params"]["warnings"] == [warning]


def test_a_run_with_nothing_to_warn_of_has_no_warnings(prepared: Prepared) -> None:
    job = prepared()
    with pytest.raises(Started):
        train.run(job, stage=1)
    assert job.run.manifest.stage1.training_params["warnings"] == []


def test_a_quantised_base_is_told_from_its_files(prepared: Prepared, base_model: Path) -> None:
    files.write_json(base_model / "config.json", {"quantization": {"bits": 4, "group_size": 64}})
    job = prepared(training__method="qlora")
    assert base_models.is_complete(job.host.base_models, job.settings.base_model.name)
    with pytest.raises(Started) as caught:
        train.run(job, stage=1)
    assert caught.value.args[0].payload.params.fine_tune_type == "lora"
    assert job.run.manifest.stage1.training_params["method"] == "qlora"
