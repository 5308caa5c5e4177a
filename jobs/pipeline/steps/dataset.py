"""Steps dataset 1 and dataset 2: a child process builds the training data of a stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs import base_models
from jobs.children import parent
from jobs.datasets.request import sources_of
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
    request = {
        **_shared(job, model, stage),
        **(_stage1(job) if stage == 1 else _stage2(job)),
    }
    payload = {"stage": stage, "request": request, "inputs": _inputs(job, stage)}
    stats = job.child(MODULE, payload, device=False)
    problems = [check.detail for check in check_training_data(folder.training_data) if not check.passed]
    if problems:
        raise ChildFailed(f"The training data of stage {stage} is not as promised: {'; '.join(problems)}")
    job.manifest.stage(stage).dataset_stats = stats
    job.save()
    return [folder.training_data / name for name in DATA_FILES]


def _base_model(job: Job) -> Path:
    """The base model's folder; fetched first where it is missing and the settings say from where."""
    choice, folder = job.settings.base_model, job.place.base_models
    if not base_models.is_complete(folder, choice.name):
        request = base_models.pull_request(folder, choice)
        parent.forget(job.folder.work(PULL_PART))  # an earlier receipt is no answer: the model is not there
        job.child(PULL, request, device=False, part=PULL_PART)
    return base_models.locate(folder, choice.name)


def _inputs(job: Job, stage: int) -> list[str]:
    # In the payload, so that a receipt for other findings is no answer.
    read = [job.folder.findings, job.folder.stage1.train_file] if stage == 2 else []
    return [files.sha256_file(path) for path in read]


def _shared(job: Job, model: Path, stage: int) -> dict[str, Any]:
    settings = job.settings.datasets
    return {
        "out": str(job.folder.stage(stage).training_data),
        "tokenizer": str(model),
        "max_seq_length": job.settings.training.max_seq_length,
        "seed": job.settings.seed,
        "valid_fraction": settings.valid_fraction,
        "test_fraction": settings.test_fraction,
        "quality_weight_multiplier": settings.quality_weight_multiplier,
        "augmentation": settings.augmentation,
        "cache": str(job.place.models_dir / "cache" / "datasets"),
    }


def _stage1(job: Job) -> dict[str, Any]:
    settings = job.settings.datasets
    return {
        "context_lines": settings.context_lines,
        "sources": [source.to_json() for source in sources_of(settings)],
    }


def _stage2(job: Job) -> dict[str, Any]:
    return {
        "findings": str(job.folder.findings),
        "replay_from": str(job.folder.stage1.train_file),
        "replay_ratio": job.settings.datasets.replay_ratio,
        "domain": job.settings.datasets.domain,
        "include_advice": job.settings.datasets.include_advice,
    }
