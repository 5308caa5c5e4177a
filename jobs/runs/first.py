"""A run's first manifest: what was delivered, what is promised, who made it."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.settings import Settings
from jobs.clock import now
from jobs.fs import files
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import VERSION, Manifest, Provenance, Stage, Stage1Dependency, Stage2, Step

if TYPE_CHECKING:
    from jobs.runs.delivery import Delivery

# Where the queue is concerns the machine, not the run; and its address may hold a password.
WHERE = {"storage": True, "url": True}


def first_manifest(run_id: str, settings: Settings, delivery: Delivery, steps: Sequence[str]) -> Manifest:
    """The record of a run before its first step: every path is a promise."""
    moment = now()
    return Manifest(
        version=VERSION,
        run_id=run_id,
        timestamp=moment,
        updated_at=moment,
        priority=delivery.priority,
        base_model=settings.base_model.name,
        delivery=delivery.id,
        inputs=list(delivery.inputs),
        steps=[Step(name=name) for name in steps],
        stage1=Stage(**_promised_paths(1)),
        stage2=Stage2(
            **_promised_paths(2),
            final_model_path="./final-model",
            stage1_dependencies=Stage1Dependency(adapter_path="./stage1/adapters"),
        ),
        final_model_path="./final-model",
        provenance=provenance(settings),
    )


def _promised_paths(stage: int) -> dict[str, Any]:
    folder = RunFolder(Path())
    paths = folder.stage(stage)
    return {
        "adapters_path": folder.relative(paths.adapters),
        "training_data_path": folder.relative(paths.training_data),
        "evaluation_results_path": folder.relative(paths.evaluation),
        "validation_path": folder.relative(folder.validation(stage)),
    }


def provenance(settings: Settings) -> Provenance:
    """What is known about the makers of a run before its first step."""
    return Provenance(
        sectune=_version("sectune") or "unknown",
        python=platform.python_version(),
        mlx=_version("mlx"),
        mlx_lm=_version("mlx-lm"),
        settings_sha256=files.sha256_json(
            settings.model_dump(mode="json", exclude={"paths": True, "queue": WHERE})
        ),
        seed=settings.seed,
        platform=f"{platform.system()} {platform.machine()}",
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
