"""Steps train 1 and train 2: a provider trains an adapter; what it really used is compared and recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from config.job import Data, DataReference, JobConfiguration, Problem, of_stage, setting_of
from jobs import base_models
from jobs.clock import now
from jobs.errors import ChildFailed, OperatorError
from jobs.fs import files
from jobs.pipeline import provider_job, stage1_reuse
from jobs.pipeline.context import Job
from jobs.providers.provider import Provider, StartAdapter, Training
from jobs.runs.manifest import ArtifactTypes
from jobs.runs.validation import check_adapters, check_training_data

KIND_OF_ADAPTER: dict[str, Literal["lora", "dora", "full"]] = {  # whoever trained it, mlx-lm loads it
    "lora": "lora",
    "qlora": "lora",
    "dora": "dora",
    "full": "full",
}
KEYS_READ_BACK = ("fine_tune_type", "iters", "learning_rate", "batch_size", "lora_parameters")


def run(job: Job, stage: int) -> Sequence[Path]:
    """Train one stage; stage 2 starts from stage 1's adapter.

    Raises:
        OperatorError: The provider cannot do what the settings ask for.
        ChildFailed: A setting did not arrive in the trainer.
    """
    provider = provider_job.chosen_provider(job)
    folder = job.folder.stage(stage)
    training = _training(job, stage)
    asked = of_stage(job.settings, stage, str(training.base_model), _data(training.data))
    warnings = _accepted(provider, asked, training)
    will_do = provider.translate(asked, training)
    who = {"provider": provider.name, "method": asked.method.type, "warnings": warnings}
    _promise(job, stage, asked, {**who, **will_do.parameters})
    files.private_folder(folder.root)
    if stage == 1 and (taken := _reused(job, provider.name, will_do.fingerprint)):
        return taken
    measured = provider_job.drive(job, provider, asked, training)
    if mismatches := provider.mismatches(asked, training):
        raise ChildFailed(f"Settings did not arrive in the trainer: {'; '.join(mismatches)}")
    _record(job, stage, measured)
    _write_validation(job, stage)
    return [folder.adapter_file, folder.adapter_config, folder.training_metadata, folder.metrics]


def _reused(job: Job, provider: str, fingerprint: str) -> Sequence[Path]:
    """Stage 1 of an earlier run, where it would come out the same; empty if there is none."""
    stage = job.manifest.stage1
    stage.reuse_key = stage1_reuse.key(job, provider, fingerprint)
    job.save()
    source = stage1_reuse.find(job, stage.reuse_key) if job.settings.training.reuse_stage1 else None
    if source is None:
        return []
    taken = stage1_reuse.take(source, "train_1", job)
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
        start = StartAdapter(adapter, files.sha256_file(adapter))
        job.manifest.stage2.stage1_dependencies.sha256 = start.sha256
    return Training(
        stage=stage,
        base_model=base_models.locate(job.host.base_models, job.settings.base_model.name),
        data=folder.training_data,
        data_sha256=files.sha256_files(folder.training_data, files.files_below(folder.training_data)),
        adapters=folder.adapters,
        metrics=folder.metrics,
        start_from=start,
    )


def _data(folder: Path) -> Data:
    """The examples by their content; the provider compares them with what it finds."""

    def reference(name: str) -> DataReference | None:
        path = folder / name
        return DataReference(sha256=files.sha256_file(path)) if path.is_file() else None

    return Data(training=reference("train.jsonl"), validation=reference("valid.jsonl"))


def _accepted(provider: Provider, asked: JobConfiguration, training: Training) -> list[str]:
    """The provider's warnings, for the manifest."""
    verdict = provider.validate(asked, training)
    if verdict.errors:
        words = "; ".join(f"{_key(each, training.stage)}: {each.message}" for each in verdict.errors)
        remedies = dict.fromkeys(each.remedy for each in verdict.errors if each.remedy)
        raise OperatorError(
            f"{provider.name} cannot train stage {training.stage}: {words}",
            f"{' '.join(remedies)} `sectune config check --provider {provider.name}` checks the settings; "
            "this run keeps its own, in metadata/settings.json.",
        )
    return [f"{_key(each, training.stage)}: {each.message}" for each in verdict.warnings]


def _key(problem: Problem, stage: int) -> str:
    return setting_of(problem.key, stage) or problem.key


def _promise(job: Job, stage: int, asked: JobConfiguration, params: dict[str, Any]) -> None:
    datasets = job.settings.datasets
    params["num_iters"] = params.get("iters", asked.schedule.iters)
    params["quality_weight_multiplier"] = datasets.quality_weight_multiplier
    if stage == 2:
        params["resume_from_stage1"] = True
        params["stage1_replay_ratio"] = datasets.replay_ratio
    entry = job.manifest.stage(stage)
    entry.training_params = params
    entry.artifact_types = ArtifactTypes(adapters=KIND_OF_ADAPTER[asked.method.type])
    job.save()


def _record(job: Job, stage: int, measured: Mapping[str, Any]) -> None:
    entry = job.manifest.stage(stage)
    entry.training_params = {**entry.training_params, "measured": dict(measured)}
    job.save()


def _write_validation(job: Job, stage: int) -> None:
    folder = job.folder.stage(stage)
    expected = job.manifest.stage(stage).training_params
    asked = {key: expected[key] for key in KEYS_READ_BACK if key in expected}
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
