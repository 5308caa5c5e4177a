"""Step certify: the finished model becomes a self-contained, named entry of the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jobs.clock import now
from jobs.fs import files
from jobs.pipeline.context import Job
from jobs.registry.catalogue import list_models
from jobs.registry.current import activate, current
from jobs.registry.entry import Certification, certify
from jobs.registry.gates import gates, missed
from jobs.runs.manifest import Certified, Step, seconds_between

METHODS = {"lora": "LoRA", "qlora": "QLoRA", "dora": "DoRA", "full": "full fine-tuning"}
DOMAINS = {"webauthn": "WebAuthn"}  # how a name writes a domain; others are written as they are set


def run(job: Job) -> Sequence[Path]:
    """Write the run's summary, certify the model and, where the settings say so, make it CURRENT."""
    settings = job.settings.certify
    _hold_to_gates(job)
    _summarise(job)
    stages = {"stage1": job.folder.stage1, "stage2": job.folder.stage2}
    registry = files.private_folder(job.host.registry)
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
            datasets=_datasets(job),
        ),
    )
    activated = settings.activate and not missed(job.manifest.validation.gates)
    if activated:
        passed = {gate.name: gate.passed for gate in job.manifest.validation.gates}
        activate(registry, entry.name, reason=f"certified by run {job.run.run_id}", gates=passed)
    job.manifest.certified = Certified(
        name=entry.name, path=f"../../certified/{entry.name}", activated=activated
    )
    job.save()
    return [job.folder.training_summary, job.folder.performance_metrics]


def _datasets(job: Job) -> tuple[str, ...]:
    """The sources that gave stage 1 an example, then the domain."""
    per_source = job.manifest.stage1.dataset_stats["per_source"].values()
    domain = job.settings.datasets.domain
    return (*(each["title"] for each in per_source if each["examples"]), DOMAINS.get(domain, domain))


def _hold_to_gates(job: Job) -> None:
    name = current(job.host.registry) if job.host.registry.exists() else None
    in_use = None
    if name is not None and name_of_run(job, name) != job.run.run_id:
        in_use = next(model for model in list_models(job.host.registry) if model.name == name)
    score = in_use.stage2_exact_match_percentage if in_use else None
    job.manifest.validation.gates = gates(job.settings.gates, job.manifest.validation, score)
    job.save()


def name_of_run(job: Job, model: str) -> str | None:
    """The run a certified model came from: a repeated step must not hold a model to itself."""
    facts = files.read_json(job.host.registry / model / "metadata.json")
    run_id = facts.get("run_id")
    return str(run_id) if run_id else None


def _facts(job: Job) -> dict[str, Any]:
    manifest = job.manifest
    stages = {"stage1": manifest.stage1, "stage2": manifest.stage2}
    return {
        "base_model": manifest.base_model,
        "base_model_sha256": manifest.provenance.base_model_sha256,
        "training_type": f"sequential {METHODS[job.settings.training.method]}",
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
            "stages": _of_both(
                lambda number: {
                    "examples": manifest.stage(number).dataset_stats.get("train_examples"),
                    **_losses(_measured(job, number)),
                }
            ),
            "validation": manifest.validation.model_dump(),
        },
    )
    files.write_json(
        job.folder.performance_metrics,
        {
            "steps": [
                {"name": step.name, "attempts": step.attempts, "seconds": _seconds(step)}
                for step in manifest.steps
            ],
            "tokens_per_second": _of_both(lambda number: _speed(job.folder.stage(number).metrics)),
            "peak_memory_gb": _of_both(lambda number: _measured(job, number).get("peak_memory_gb")),
        },
    )


def _of_both(fact: Callable[[int], Any]) -> dict[str, Any]:
    return {f"stage{number}": fact(number) for number in (1, 2)}


def _measured(job: Job, number: int) -> dict[str, Any]:
    return dict(job.manifest.stage(number).training_params.get("measured", {}))


def _seconds(step: Step) -> float | None:
    return seconds_between(step.started_at, step.ended_at or now()) if step.started_at else None


def _speed(metrics: Path) -> float | None:
    """Mean tokens per second over all reports."""
    speeds = [row["tokens_per_second"] for row in files.read_jsonl(metrics) if row.get("tokens_per_second")]
    return sum(speeds) / len(speeds) if speeds else None
