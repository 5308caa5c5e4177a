"""Stage 1's reuse key changes with what shapes the adapter, and with nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from config.job import of_stage
from config.load import load
from config.settings import Settings
from jobs.providers.mlx.provider import Mlx
from jobs.providers.provider import StartAdapter, Training

ROOT = Path(__file__).parents[2]
AT = Path("/nowhere")
TRAINING = Training(1, AT / "model", AT / "data", AT / "adapters", AT / "metrics.jsonl", data_sha256="d")
SHAPES_NOTHING = (
    "jobs/mlx/reference_decoding.py",
    "jobs/mlx/evaluate.py",
    "jobs/mlx/fuse.py",
    "jobs/mlx/pull.py",
    "jobs/mlx/requests.py",
    "jobs/mlx/toy_models/tiny_model.py",
    "jobs/mlx/toy_models/copy_pretrained_model.py",
    "jobs/mlx/toy_models/induction_heads.py",
    "daemon/demo/scene.py",
    "jobs/children/entry.py",
    "jobs/fs/files.py",
    "jobs/evaluation/metrics.py",
)
SHAPES_THE_ADAPTER = (
    "jobs/mlx/training/loss.py",
    "jobs/mlx/training/train.py",
    "jobs/mlx/training/request.py",
    "jobs/mlx/training/distributed/group.py",
    "jobs/mlx/training/a_new_file.py",
)
# In the copied tree: the key at first, and after a comment at the end of each file.
SCRIPT = """
import json, sys
from pathlib import Path
from config.job import of_stage
from config.load import load
from jobs.providers.mlx.provider import Mlx
from jobs.providers.provider import Training

root, names = Path(sys.argv[1]), json.loads(sys.argv[2])
at = Path("/nowhere")
asked = of_stage(load(environ={}).settings, 1)
key = lambda: Mlx().translate(asked, Training(1, at, at, at, at)).fingerprint
keys = [key()]
for name in names:
    with (root / name).open("a") as stream:
        stream.write("# a changed comment\\n")
    keys.append(key())
print(json.dumps(keys))
"""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """By file: the key before and after its edit, in a copy of the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for room in ("config", "daemon", "jobs", "launchd"):
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("__pycache__", "data"))
    names = [*SHAPES_NOTHING, *SHAPES_THE_ADAPTER]
    told = subprocess.run(
        [sys.executable, "-P", "-c", SCRIPT, str(copy), json.dumps(names)],
        env={**os.environ, "PYTHONPATH": str(copy), "HOME": str(copy)},
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(told.stdout)
    assert len(seen) == len(names) + 1
    return {name: (seen[at], seen[at + 1]) for at, name in enumerate(names)}


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES_NOTHING)
def test_an_edit_elsewhere_makes_nobody_train_stage_1_again(
    keys: dict[str, tuple[str, str]], name: str
) -> None:
    before, after = keys[name]
    assert before == after


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES_THE_ADAPTER)
def test_an_edit_of_what_trains_gives_another_key(keys: dict[str, tuple[str, str]], name: str) -> None:
    before, after = keys[name]
    assert before != after


def fingerprint(settings: Settings, training: Training = TRAINING) -> str:
    return Mlx().translate(of_stage(settings, 1), training).fingerprint


def settings_of(**changes: str) -> Settings:
    return load(environ={f"SECTUNE__{key.upper()}": value for key, value in changes.items()}).settings


def test_where_things_lie_and_how_processes_are_started_shape_nothing() -> None:
    plain = fingerprint(settings_of())
    moved = replace(
        TRAINING,
        base_model=AT / "moved",
        data=AT / "elsewhere",
        adapters=AT / "a",
        metrics=AT / "m",
    )
    assert fingerprint(settings_of(), moved) == plain
    assert fingerprint(settings_of(training__launch_port="40000")) == plain
    start = StartAdapter(AT / "first" / "adapters.safetensors", "s" * 64)
    same = replace(start, path=AT / "copy" / "adapters.safetensors")
    assert fingerprint(settings_of(), replace(TRAINING, start_from=start)) == fingerprint(
        settings_of(), replace(TRAINING, start_from=same)
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"stage1__learning_rate": "1e-3"},
        {"training__lora__dropout": "0.2"},
        {"seed": "7"},
        {"training__hosts": "[127.0.0.1, 127.0.0.1]"},
    ],
)
def test_what_is_asked_for_and_how_many_share_a_batch_shape_the_result(changes: dict[str, str]) -> None:
    assert fingerprint(settings_of(**changes)) != fingerprint(settings_of())


def test_the_data_and_the_adapter_that_it_goes_on_from_shape_the_result() -> None:
    plain = fingerprint(settings_of())
    assert fingerprint(settings_of(), replace(TRAINING, data_sha256="other")) != plain
    assert fingerprint(settings_of(), replace(TRAINING, start_from=StartAdapter(AT, "s"))) != plain
