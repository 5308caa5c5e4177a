"""A tiny real model and tiny real data; everything runs in the children the daemon would start."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from config.job import of_stage
from config.load import load
from config.settings import Settings
from jobs.children import parent
from jobs.children.task import Task
from jobs.mlx.toy_models.requests import ModelShape, TinyModelRequest
from jobs.mlx.training.request import TrainingRequest
from jobs.providers.mlx.request import training_request
from jobs.providers.provider import StartAdapter, Training

TEXT = "def check(origin, expected):\n    return origin == expected\nrequests==2.31.0\n```python\n" * 20


def drive(module: str, work: Path, payload: Struct) -> dict[str, Any]:
    task = Task(module=module, work=work, payload=payload, log=work.parent / "child.log")
    return parent.drive(task, lambda facts: None, lambda: False)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "text.txt").write_text(TEXT)
    payload = TinyModelRequest(
        out=folder / "model",
        texts=(folder / "text.txt",),
        corpus=(),
        steps=0,
        rate=1e-3,
        shape=ModelShape(vocabulary=320, hidden=32, intermediate=128, layers=2, heads=2),
        seed=7,
    )
    drive("jobs.mlx.toy_models.tiny_model", folder / "work", payload)
    return folder / "model"


def rows(count: int, offset: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "messages": [
                {"role": "user", "content": f"Fix:\n```text\npkg{n}==1.{n}\n```" + " and more" * (n % 5)},
                {"role": "assistant", "content": f"```text\npkg{n}==2.{n}\n```"},
            ],
            "metadata": {"source": "test", "number": n},
        }
        for n in range(offset, offset + count)
    ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, count, offset in (("train", 11, 0), ("valid", 3, 100), ("test", 4, 200)):
        text = "".join(json.dumps(row) + "\n" for row in rows(count, offset))
        (folder / f"{name}.jsonl").write_text(text)
    return folder


@pytest.fixture
def request_for(tiny_model: Path, data: Path, tmp_path: Path) -> Callable[..., TrainingRequest]:
    """The request the daemon would make, with some settings changed."""

    def build(
        name: str, stage: int = 1, start: StartAdapter | None = None, **changes: str
    ) -> TrainingRequest:
        training = Training(
            stage=stage,
            base_model=tiny_model,
            data=data,
            adapters=tmp_path / name / "adapters",
            metrics=tmp_path / name / "metrics.jsonl",
            start_from=start,
        )
        (tmp_path / name).mkdir(exist_ok=True)
        return training_request(of_stage(small_settings(**changes), stage), training)

    return build


def small_settings(**changes: str) -> Settings:
    small = {
        "stage1__iters": "12",
        "stage1__learning_rate": "1e-2",
        "stage2__iters": "6",
        "training__report_every": "3",
        "training__evaluate_every": "5",
        "training__checkpoint_every": "4",
        "training__max_seq_length": "512",
    }
    values = {**small, **changes}
    return load(environ={f"SECTUNE__{key.upper()}": value for key, value in values.items()}).settings


@pytest.fixture
def run_child() -> Callable[[str, Path, Struct], dict[str, Any]]:
    return drive
