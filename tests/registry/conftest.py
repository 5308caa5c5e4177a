"""A finished run in miniature: what certify is given."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.registry.entry import Certification

Finished = Callable[..., Certification]


def safetensors(seed: int) -> bytes:
    """A file of one tensor of four floats, as the format wants it."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + struct.pack("<4f", *(seed + n for n in range(4)))


def put(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def write_run(root: Path, seed: int) -> None:
    model = root / "final-model"
    put(model / "model.safetensors", safetensors(seed))
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        put(model / name, "{}\n")
    put(model / "README.md", "the fuse tool's own card\n")
    for number in (1, 2):
        stage = root / f"stage{number}"
        put(stage / "adapters" / "adapters.safetensors", safetensors(10 * number + seed))
        put(stage / "adapters" / "0000100_adapters.safetensors", safetensors(99))
        put(stage / "adapters" / "adapter_config.json", "{}\n")
        put(stage / "adapters" / "training_metadata.json", "{}\n")
        for part in ("train", "valid", "test"):
            put(stage / "training-data" / f"{part}.jsonl", json.dumps({"part": part, "stage": number}) + "\n")
        put(stage / "evaluation" / "evaluation_results.json", "{}\n")
        put(stage / "evaluation" / "model_evaluation" / "abc.md", "# a case\n")


@pytest.fixture
def finished(tmp_path: Path) -> Finished:
    """Build a run below `tmp_path`; another seed gives other weights."""

    def build(seed: int = 1, **changes: Any) -> Certification:
        root = tmp_path / f"run-{seed}"
        if not root.exists():
            write_run(root, seed)
        stages = ("stage1", "stage2")
        request: dict[str, Any] = {
            "final_model": root / "final-model",
            "adapters": {stage: root / stage / "adapters" for stage in stages},
            "training_data": {stage: root / stage / "training-data" for stage in stages},
            "evaluation": {stage: root / stage / "evaluation" for stage in stages},
            "family": "WebAuthn-Security-1B",
            "version": "1.0",
            "language": "en",
            "datasets": ("CrossVul", "CVEfixes", "WebAuthn"),
            "metadata": {
                "base_model": "Tiny-OLMo-2",
                "run_id": f"run-{seed}",
                "metrics": {"stage1_score": 25.0, "stage2_score": 50.0, "retention_rate": None},
            },
        }
        return Certification(**{**request, **changes})

    return build


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    return tmp_path / "certified"
