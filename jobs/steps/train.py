"""Steps train 1 and train 2: a provider trains an adapter; what it really used is compared and recorded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs import base_models, files, reuse
from jobs.errors import ChildFailed
from jobs.job import Job
from jobs.providers.mlx import Mlx
from jobs.providers.provider import Provider, Training
from jobs.runs.manifest import now
from jobs.runs.validation import check_adapters, check_training_data


def run(job: Job, stage: int) -> Sequence[Path]:
    """Train one stage; stage 2 starts from stage 1's adapter.

    Raises:
        ChildFailed: A setting did not arrive in the trainer.
    """
    provider: Provider = Mlx()
    folder = job.folder.stage(stage)
    request = provider.translate(job.settings, _training(job, stage))
    _promise(job, stage, request)
    files.private_folder(folder.root)
    if stage == 1 and (taken := _reused(job, request)):
        return taken
    metadata = job.child(provider.module, request)
    if mismatches := provider.mismatches(request, folder.adapters):
        raise ChildFailed(f"Settings did not arrive in the trainer: {'; '.join(mismatches)}")
    _record(job, stage, metadata)
    _write_validation(job, stage)
    return [folder.adapter_file, folder.adapter_config, folder.training_metadata, folder.metrics]


def _reused(job: Job, request: dict[str, object]) -> Sequence[Path]:
    """Stage 1 of an earlier run, where it would come out the same; empty if there is none."""
    stage = job.manifest.stage1
    stage.reuse_key = reuse.key(job, request)
    job.save()
    source = reuse.find(job, stage.reuse_key) if job.settings.training.reuse_stage1 else None
    if source is None:
        return []
    taken = reuse.take(source, "train_1", job)
    stage.reused_from = source.run_id
    _record(job, 1, source.manifest.stage1.training_params["measured"])
    _write_validation(job, 1)
    job.run.event("stage1_reused", source=source.run_id)
    return taken


def _training(job: Job, stage: int) -> Training:
    folder = job.folder.stage(stage)
    start = None
    if stage == 2:
        adapter = job.folder.stage1.adapter_file
        start = (adapter, files.sha256_file(adapter))
        job.manifest.stage2.stage1_dependencies.sha256 = start[1]
    return Training(
        stage=stage,
        base_model=base_models.locate(job.place.base_models, job.settings.base_model.name),
        data=folder.training_data,
        data_sha256=files.sha256_files(folder.training_data, files.files_below(folder.training_data)),
        adapters=folder.adapters,
        metrics=folder.metrics,
        start_from=start,
    )


def _promise(job: Job, stage: int, request: dict[str, object]) -> None:
    params = dict(request["params"])  # type: ignore[call-overload]
    datasets = job.settings.datasets
    params["num_iters"] = params["iters"]
    params["quality_weight_multiplier"] = datasets.quality_weight_multiplier
    if stage == 2:
        params["resume_from_stage1"] = True
        params["stage1_replay_ratio"] = datasets.replay_ratio
    job.manifest.stage(stage).training_params = params
    job.save()


def _record(job: Job, stage: int, metadata: dict[str, object]) -> None:
    entry = job.manifest.stage(stage)
    entry.training_params = {**entry.training_params, "measured": metadata}
    job.save()


def _write_validation(job: Job, stage: int) -> None:
    folder = job.folder.stage(stage)
    expected = job.manifest.stage(stage).training_params
    asked = {key: expected[key] for key in ("iters", "learning_rate", "batch_size", "lora_parameters")}
    checks = {
        "adapters": check_adapters(folder.adapters, asked),
        "training_data": check_training_data(folder.training_data),
    }
    files.write_json(
        job.folder.validation(stage),
        {
            "stage": stage,
            "checked_at": now(),
            "passed": all(check.passed for group in checks.values() for check in group),
            "checks": {name: [check.to_json() for check in group] for name, group in checks.items()},
        },
    )
