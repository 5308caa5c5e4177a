"""Certify a finished run's model: build its self-contained entry in the registry, named by its files."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.errors import OperatorError
from jobs.fs.copy import copy_file
from jobs.fs.files import fsync_folder, sha256_file, write_json, write_text
from jobs.publishing.cards import model_card
from jobs.registry.name import HASH_DIGITS, ModelName, training_data_sha256, weights_sha256
from jobs.registry.verify import METADATA_NAME, entry_files, verify
from jobs.registry.writing import unfinished_name, writing

CARD_NAME = "README.md"
ADAPTER_FILES = ("adapters.safetensors", "adapter_config.json", "training_metadata.json")
RESULTS_NAME = "evaluation_results.json"
# What the run knows and the files do not tell. Missing is null; anything else is a mistake of the caller.
FACTS = (
    "base_model",
    "base_model_sha256",
    "training_type",
    "samples",
    "metrics",
    "training_configuration",
    "duration_seconds",
    "losses",
    "run_id",
    "adapters_chain",
    "provenance",
    "license",
)
_OURS = ("adapters", "training-data", "evaluation")


@dataclass(frozen=True)
class Certification:
    """What is to be certified.

    `adapters`, `training_data` and `evaluation` lead from "stage1" and "stage2", in the order trained, to
    the run's folders of that kind. `metadata` holds the facts named in FACTS; of its `metrics` the
    catalogue shows `stage1_score`, `stage2_score` (exact match in percent, as in the run's manifest) and
    `retention_rate`.
    """

    final_model: Path
    adapters: Mapping[str, Path]
    training_data: Mapping[str, Path]
    evaluation: Mapping[str, Path]
    family: str
    version: str
    language: str
    datasets: Sequence[str]
    metadata: Mapping[str, Any] = field(default_factory=dict)


def certify(registry: Path, request: Certification) -> Path:
    """Copy the model and all that it came from into `<registry>/<name>/`; return that folder.

    The entry appears complete or not at all. Where one of the same name, so of the same weights and
    training data, is there and good, it is returned as it is.

    Raises:
        OperatorError: A file is missing, a part of the name is not allowed, another writer does not end,
            or the entry of that name is damaged.
        OSError: The disk is full or not writable; the registry is as it was.
    """
    if unknown := sorted(set(request.metadata) - set(FACTS)):
        raise ValueError(f"No place in an entry's metadata for {unknown}; there is for {list(FACTS)}.")
    with writing(registry):
        building = unfinished_name(registry)
        try:
            return _publish(_build(building, request), registry)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _build(building: Path, request: Certification) -> tuple[Path, str]:
    building.mkdir()
    _copy_model(request.final_model, building)
    for stage, folder in request.adapters.items():
        _copy_named(folder, ADAPTER_FILES, building / "adapters" / stage)
    for stage, folder in request.training_data.items():
        _copy_named(folder, _jsonl_in(folder), building / "training-data" / stage)
    for stage, folder in request.evaluation.items():
        _copy_named(folder, (RESULTS_NAME,), building / "evaluation" / stage)
    return building, _describe(building, request)


def _publish(built: tuple[Path, str], registry: Path) -> Path:
    building, name = built
    target = registry / name
    if target.exists():
        return _existing(target)
    for folder in [path for path in building.rglob("*") if path.is_dir()]:
        fsync_folder(folder)
    fsync_folder(building)
    building.rename(target)
    fsync_folder(registry)
    return target


def _existing(target: Path) -> Path:
    if problems := verify(target):
        raise OperatorError(
            f"{target} is there already and damaged: {problems[0]}.", "Move it away, then certify again."
        )
    return target


def _copy_model(final_model: Path, building: Path) -> None:
    """Every visible file of the fused model; its own card gives way to ours."""
    files = [path for path in sorted(final_model.rglob("*")) if path.is_file()]
    names = [path.relative_to(final_model) for path in files]
    kept = [name for name in names if not any(part.startswith(".") for part in name.parts)]
    kept = [name for name in kept if name.as_posix() not in (CARD_NAME, METADATA_NAME)]
    roots = {name.as_posix() for name in kept if len(name.parts) == 1}
    if "config.json" not in roots or not any(name.endswith(".safetensors") for name in roots):
        raise OperatorError(
            f"{final_model} is no complete model: it needs config.json and *.safetensors.", "Fuse it again."
        )
    if clash := [name for name in kept if name.parts[0] in _OURS]:
        raise OperatorError(f"{final_model} holds {clash[0]}, a name that an entry needs itself.")
    _copy_named(final_model, (name.as_posix() for name in kept), building)


def _copy_named(source: Path, names: Iterable[str], target: Path) -> None:
    for name in names:
        if not (source / name).is_file():
            raise OperatorError(f"{source / name} is missing: the model cannot be certified without it.")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        copy_file(source / name, target / name)


def _jsonl_in(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.glob("*.jsonl"))
    if not names:
        raise OperatorError(f"{folder} holds no training data (*.jsonl): the name cannot be computed.")
    return names


def _describe(building: Path, request: Certification) -> str:
    """Write the card and, last, the metadata with every other file's hash; return the name."""
    data, weights = training_data_sha256(building), weights_sha256(building)
    name = _name(request, data, weights)
    chain = [_link(building, stage) for stage in request.adapters]
    metadata: dict[str, Any] = {
        "name": name,
        "family": request.family,
        "version": request.version,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "language": request.language,
        "datasets": list(request.datasets),
        **{key: request.metadata.get(key) for key in FACTS},
        "hashes": {"training_data": data, "weights": weights},
        "adapters": chain,
    }
    write_text(building / CARD_NAME, model_card(metadata))
    write_json(building / METADATA_NAME, {**metadata, "files": _file_facts(building)})
    return name


def _name(request: Certification, data: str, weights: str) -> str:
    name = ModelName(
        family=request.family,
        version=request.version,
        language=request.language,
        datasets=tuple(request.datasets),
        data_hash=data[:HASH_DIGITS],
        weights_hash=weights[:HASH_DIGITS],
    )
    return str(name)


def _link(building: Path, stage: str) -> dict[str, str]:
    path = f"adapters/{stage}/{ADAPTER_FILES[0]}"
    return {"stage": stage, "path": path, "sha256": sha256_file(building / path)}


def _file_facts(building: Path) -> dict[str, dict[str, Any]]:
    return {
        path.relative_to(building).as_posix(): {"sha256": sha256_file(path), "bytes": path.stat().st_size}
        for path in entry_files(building)
    }
