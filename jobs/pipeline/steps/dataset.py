"""Steps dataset 1 and dataset 2: a child process builds the training data of a stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs import base_models
from jobs.children import parent
from jobs.datasets.request import BuildFolders, BuildMessage, stage1_request, stage2_request
from jobs.errors import ChildFailed
from jobs.fs import files
from jobs.pipeline.context import Job
from jobs.runs.validation import DATA_FILES, check_training_data

MODULE = "jobs.datasets.child"
PULL = "jobs.mlx.pull"
PULL_PART = "base_model"


def run(job: Job, stage: int) -> Sequence[Path]:
    """Build train, valid and test of one stage, and record where every example came from or went."""
    folder = job.folder.stage(stage)
    model = _base_model(job)
    if job.manifest.provenance.base_model_sha256 is None:
        job.manifest.provenance.base_model_sha256 = base_models.digest(model)
        job.save()
    files.private_folder(folder.root)
    stats = job.child(MODULE, _message(job, model, stage), device=False)
    problems = [check.detail for check in check_training_data(folder.training_data) if not check.passed]
    if problems:
        raise ChildFailed(f"The training data of stage {stage} is not as promised: {'; '.join(problems)}")
    job.manifest.stage(stage).dataset_stats = stats
    job.save()
    return [folder.training_data / name for name in DATA_FILES]


def _base_model(job: Job) -> Path:
    """The base model's folder; fetched first where it is missing and the settings say from where."""
    choice, folder = job.settings.base_model, job.host.base_models
    if not base_models.is_complete(folder, choice.name):
        request = base_models.pull_request(folder, choice)
        parent.forget(job.folder.work(PULL_PART))  # an earlier receipt is no answer: the model is not there
        job.child(PULL, request, device=False, part=PULL_PART)
    return base_models.locate(folder, choice.name)


def _message(job: Job, model: Path, stage: int) -> BuildMessage:
    folders = BuildFolders(job.folder.stage(stage).training_data, model, job.host.models_dir)
    if stage == 1:
        return BuildMessage(request=stage1_request(job.settings, folders))
    read = job.folder.findings, job.folder.stage1.train_file
    return BuildMessage(
        request=stage2_request(job.settings, folders, *read),
        inputs=tuple(files.sha256_file(path) for path in read),
    )
