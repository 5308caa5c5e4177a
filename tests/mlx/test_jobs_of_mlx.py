"""A job of the provider MLX, from start to end, by way of nothing but its handle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.job import Data, DataReference, JobConfiguration, read
from jobs.children import life, parent
from jobs.children.task import DeviceBusy, Task
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.providers.mlx.provider import Mlx
from jobs.providers.mlx.request import MODULE, training_request
from jobs.providers.provider import Handle, JobStatus, Training, Workplace

pytestmark = pytest.mark.slow
Asked = Callable[..., JobConfiguration]
ENDED = ("succeeded", "failed", "cancelled")


@pytest.fixture
def training(tiny_model: Path, data: Path, tmp_path: Path) -> Training:
    return Training(1, tiny_model, data, tmp_path / "adapters", tmp_path / "metrics.jsonl")


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    return Workplace(
        tmp_path / "work" / "train", tmp_path / "run.log", {"run": "r1"}, tmp_path / "device.lock"
    )


@pytest.fixture
def asked(training: Training, data: Path) -> Asked:
    """A small job; `changes` are whole groups."""

    def build(**changes: Any) -> JobConfiguration:
        hashes = [files.sha256_file(data / f"{name}.jsonl") for name in ("train", "valid")]
        first, second = (DataReference(sha256=each) for each in hashes)
        values = {
            "model": {"base_model": str(training.base_model)},
            "datasets": Data(training=first, validation=second),
            "schedule": {"iters": 12, "batch_size": 1, "checkpoints": 3},
            "optimizer": {"learning_rate": 1e-2},
            "metadata": {"report_every": 3},
        }
        return read({**values, **changes})

    return build


def wait(work: Path, wanted: Callable[[JobStatus], bool]) -> JobStatus:
    """Asks as somebody would who was not there at the start."""
    deadline = time.monotonic() + 60
    while True:
        handle = Handle.load(work)
        assert handle is not None
        status = Mlx().status(handle, history=True)
        if wanted(status):
            return status
        assert time.monotonic() < deadline, status
        assert status.status not in ENDED, status
        time.sleep(0.05)


def test_a_job_is_followed_by_its_handle_to_its_end(
    asked: Asked, training: Training, workplace: Workplace
) -> None:
    handle = Mlx().start(asked(), training, workplace)
    assert Handle.load(workplace.work) == handle
    assert Mlx().status(handle).status in ("validating_files", "running")
    status = wait(workplace.work, lambda seen: seen.status == "succeeded")
    assert (status.progress, status.error, status.stalled, status.eta_seconds) == (1.0, None, None, None)
    assert status.result is not None
    assert (status.result["iterations"], status.newest["iteration"]) == (12, 12)
    assert (Mlx().status(handle).metrics, Mlx().status(handle).events) == ({}, ())
    assert [point.step for point in status.metrics["train_loss"]] == [3, 6, 9, 12]
    assert status.metrics["train_loss"][0].value > status.metrics["train_loss"][-1].value
    assert all(point.timestamp.endswith("Z") for point in status.metrics["valid_loss"])
    assert "training begins" in [event.message for event in status.events]
    assert next(event.data["iterations"] for event in status.events if "iterations" in event.data) == 12
    assert (training.adapters / "adapters.safetensors").exists()
    assert Mlx().start(asked(), training, workplace) == handle  # done: nothing is started again
    assert sum(event.message == "training begins" for event in Mlx().status(handle, history=True).events) == 1


def test_a_started_job_is_adopted_by_whoever_drives_the_same_work(
    asked: Asked, training: Training, workplace: Workplace
) -> None:
    handle = Mlx().start(asked(), training, workplace)
    pid = life.living(workplace.work)
    task = Task(
        module=MODULE,
        work=workplace.work,
        payload=training_request(asked(), training),
        log=workplace.log,
        facts=workplace.facts,
        device_lock=workplace.device_lock,
    )
    assert (task.key, pid is not None) == (handle.id, True)
    result = parent.drive(task, lambda facts: None, lambda: False)
    assert result["iterations"] == 12
    events = Mlx().status(handle, history=True).events
    assert {event.data["pid"] for event in events} == {pid}


def test_a_cancelled_job_says_so_and_goes_on_from_its_checkpoint_when_it_is_started_again(
    asked: Asked, training: Training, workplace: Workplace
) -> None:
    long = asked(schedule={"iters": 400, "batch_size": 1, "checkpoints": None, "evaluations": None})
    handle = Mlx().start(long, training, workplace)
    seen = wait(workplace.work, lambda status: status.status == "running" and "train_loss" in status.metrics)
    assert seen.progress is not None
    assert 0 < seen.progress < 1
    assert seen.eta_seconds is not None
    assert Mlx().cancel(handle)
    assert Mlx().status(handle).status == "cancelled"
    assert not Mlx().cancel(handle)
    assert not (training.adapters / "adapters.safetensors").exists()
    assert Mlx().start(long, training, workplace) == handle
    assert wait(workplace.work, lambda status: status.status == "succeeded").progress == 1.0
    assert any(row.get("resumed") for row in files.read_jsonl(training.metrics))


def test_a_job_whose_child_was_killed_waits_for_its_next_start(
    asked: Asked, training: Training, workplace: Workplace
) -> None:
    handle = Mlx().start(asked(schedule={"iters": 400}), training, workplace)
    pid = life.living(workplace.work)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    killed = wait(workplace.work, lambda status: status.status == "queued")
    assert killed.error is None
    assert killed.stalled is not None
    assert killed.stalled.code == "out_of_memory"  # mostly it is the system, short of memory
    assert "killed by SIGKILL" in killed.stalled.reason
    assert "child.out" in killed.stalled.remedy
    assert not Mlx().cancel(handle)


def test_a_job_that_fails_says_why_and_whose_turn_it_is(
    asked: Asked, training: Training, workplace: Workplace
) -> None:
    wrong = asked(method={"type": "dora", "lora": {"trainable_modules": ["self_attn.nobody"]}})
    Mlx().start(wrong, training, workplace)
    status = wait(workplace.work, lambda seen: seen.status == "failed")
    assert status.error is not None
    assert "self_attn.nobody" in status.error.message
    assert "self_attn.q_proj" in status.error.message  # the remedy names what there is
    assert status.error.code == "operator"


def test_what_is_refused_is_not_started(asked: Asked, training: Training, workplace: Workplace) -> None:
    with pytest.raises(OperatorError, match="learning_rate"):
        Mlx().start(asked(optimizer={"learning_rate": 0.0}), training, workplace)
    assert Handle.load(workplace.work) is None
    assert not workplace.work.exists()


def test_a_job_waits_where_the_device_is_taken(
    asked: Asked, training: Training, workplace: Workplace
) -> None:
    assert workplace.device_lock is not None
    with files.FileLock(workplace.device_lock, "pid 1 somebody"), pytest.raises(DeviceBusy, match="somebody"):
        Mlx().start(asked(), training, workplace)
    handle = Handle.load(workplace.work)
    assert handle is not None
    assert Mlx().status(handle).status == "queued"


EVERYTHING: dict[str, Any] = {
    "method": {
        "type": "dora",
        "lora": {"rank": 3, "alpha": 6, "dropout": 0.25, "trainable_modules": ["mlp.up_proj"]},
    },
    "schedule": {
        "epochs": 2,
        "batch_size": 2,
        "sequence_length": 600,
        "gradient_accumulation": 2,
        "checkpoints": 4,
        "evaluations": 2,
        "train_on_inputs": "enabled",
    },
    "optimizer": {
        "learning_rate": 5e-3,
        "scheduler": {"type": "polynomial", "warmup_ratio": 0.2, "min_lr_ratio": 0.1},
        "weight_decay": 0.03,
        "max_gradient_norm": 0.7,
    },
    "optimizations": ("gradient_checkpointing", "dynamic_padding"),
    "metadata": {"num_layers": 1, "seed": 11, "keep_best": False, "report_every": 1, "valid_batches": 1},
}


def test_everything_a_job_can_say_reaches_the_live_objects(
    asked: Asked, training: Training, workplace: Workplace
) -> None:
    model = {"base_model": str(training.base_model), "precision": "fp32"}
    everything = asked(model=model, **EVERYTHING)
    assert Mlx().validate(everything, training).errors == ()
    handle = Mlx().start(everything, training, workplace)
    status = wait(workplace.work, lambda seen: seen.status == "succeeded")
    assert Mlx().mismatches(everything, training) == []
    config = files.read_json(training.adapters / "adapter_config.json")
    assert config["fine_tune_type"] == "dora"
    assert config["lora_parameters"] == {"rank": 3, "scale": 2.0, "dropout": 0.25, "keys": ["mlp.up_proj"]}
    assert (config["weight_decay"], config["max_gradient_norm"]) == (0.03, 0.7)
    assert (config["seed"], config["num_layers"], config["mask_prompt"]) == (11, 1, False)
    told = files.read_json(training.adapters / "training_metadata.json")
    assert (told["iterations"], told["lora_layers"]) == (11, 1)  # 11 examples twice, in batches of 2
    rates = [point.value for point in status.metrics["learning_rate"]]
    assert max(rates) <= 5e-3
    assert rates[0] > rates[-1] >= 5e-4
    assert [point.step for point in status.metrics["valid_loss"]] == [0, 6, 11]
    assert handle.provider == "mlx"
