"""Step certify: the finished model becomes a self-contained, named entry of the registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs import files
from jobs.job import Job
from jobs.registry.current import activate
from jobs.registry.entry import Certification, certify
from jobs.runs.manifest import Certified, now, seconds_between

DATASETS = ("CrossVul", "CVEfixes", "WebAuthn")


def run(job: Job) -> Sequence[Path]:
    """Write the run's summary, certify the model and, where the settings say so, make it CURRENT."""
    _summarise(job)
    settings = job.settings.certify
    stages = {"stage1": job.folder.stage1, "stage2": job.folder.stage2}
    registry = files.private_folder(job.place.registry)
    entry = certify(
        registry,
        Certification(
            final_model=job.folder.final_model,
            adapters={name: stage.adapters for name, stage in stages.items()},
            training_data={name: stage.training_data for name, stage in stages.items()},
            evaluation={
                name: stage.evaluation for name, stage in stages.items() if stage.evaluation_results.exists()
            },
            metadata=_facts(job),
            family=settings.family,
            version=settings.version,
            language=settings.language,
            datasets=DATASETS,
        ),
    )
    if settings.activate:
        activate(registry, entry.name, reason=f"certified by run {job.run.run_id}")
    job.manifest.certified = Certified(
        name=entry.name, path=f"../../certified/{entry.name}", activated=settings.activate
    )
    job.save()
    return [job.folder.training_summary, job.folder.performance_metrics]


def _facts(job: Job) -> dict[str, Any]:
    manifest = job.manifest
    stages = {"stage1": manifest.stage1, "stage2": manifest.stage2}
    return {
        "base_model": manifest.base_model,
        "base_model_sha256": manifest.provenance.base_model_sha256,
        "training_type": "sequential LoRA",
        "samples": {name: stage.dataset_stats.get("train_examples") for name, stage in stages.items()},
        "metrics": manifest.validation.model_dump(exclude={"gates", "validation_timestamp"}),
        "adapters_chain": ["base", "stage1", "stage2"],
        "training_configuration": {
            name: {key: value for key, value in stage.training_params.items() if key != "measured"}
            for name, stage in stages.items()
        },
        "losses": {
            name: _losses(stage.training_params.get("measured", {})) for name, stage in stages.items()
        },
        "duration_seconds": {name: stage.duration_seconds for name, stage in stages.items()},
        "run_id": manifest.run_id,
        "provenance": manifest.provenance.model_dump(),
    }


def _losses(measured: dict[str, Any]) -> dict[str, Any]:
    return {key: measured.get(key) for key in ("first_train_loss", "final_train_loss", "final_valid_loss")}


def _summarise(job: Job) -> None:
    manifest = job.manifest
    files.write_json(
        job.folder.training_summary,
        {
            "run_id": manifest.run_id,
            "inputs": [item.model_dump() for item in manifest.inputs],
            "stages": {
                f"stage{number}": {
                    "examples": manifest.stage(number).dataset_stats.get("train_examples"),
                    **_losses(manifest.stage(number).training_params.get("measured", {})),
                }
                for number in (1, 2)
            },
            "validation": manifest.validation.model_dump(),
        },
    )
    files.write_json(
        job.folder.performance_metrics,
        {
            "steps": [
                {
                    "name": step.name,
                    "attempts": step.attempts,
                    "seconds": seconds_between(step.started_at, step.ended_at or now())
                    if step.started_at
                    else None,
                }
                for step in manifest.steps
            ],
            "tokens_per_second": {
                f"stage{number}": _speed(job.folder.stage(number).metrics) for number in (1, 2)
            },
            "peak_memory_gb": {
                f"stage{number}": manifest.stage(number)
                .training_params.get("measured", {})
                .get("peak_memory_gb")
                for number in (1, 2)
            },
        },
    )


def _speed(metrics: Path) -> float | None:
    """Mean tokens per second over all reports."""
    speeds = [row["tokens_per_second"] for row in files.read_jsonl(metrics) if row.get("tokens_per_second")]
    return sum(speeds) / len(speeds) if speeds else None
