"""A training of a base model and data that are just enough to be looked at, and a plain job of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.fs import files
from jobs.providers.provider import Training


@pytest.fixture
def training(tmp_path: Path, write_safetensors: Callable[..., Path]) -> Training:
    base, data = tmp_path / "base", tmp_path / "data"
    write_safetensors(base / "model.safetensors", "model.embed_tokens.weight")
    (base / "config.json").write_text("{}")
    data.mkdir()
    (data / "train.jsonl").write_text("{}\n" * 7)
    (data / "valid.jsonl").write_text("{}\n")
    return Training(1, base, data, tmp_path / "adapters", tmp_path / "metrics.jsonl")


@pytest.fixture
def plain(training: Training) -> dict[str, Any]:
    """A plain, good job configuration."""
    return {
        "schedule": {"iters": 20},
        "datasets": {
            name: {"sha256": files.sha256_file(training.data / f"{part}.jsonl")}
            for name, part in (("training", "train"), ("validation", "valid"))
        },
        "model": {"base_model": str(training.base_model)},
    }
