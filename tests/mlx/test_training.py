"""Real trainings of a tiny model, in the child the daemon would start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs import children, files
from jobs.errors import ChildFailed, OperatorError
from jobs.mlx.checkpoint import NAME
from jobs.providers.mlx import Mlx

pytestmark = pytest.mark.slow
Request = dict[str, Any]
RequestFor = Callable[..., Request]
RunChild = Callable[[str, Path, Request], dict[str, Any]]
MODULE = "jobs.mlx.train"


def adapter_of(request: Request) -> Path:
    return Path(request["adapters"]) / "adapters.safetensors"


def test_every_setting_arrives_and_the_loss_falls(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = request_for(
        "plain", training__lora__rank="4", training__lora__alpha="8", training__lora__dropout="0.1"
    )
    result = run_child(MODULE, tmp_path / "work", request)
    assert Mlx().mismatches(request, Path(request["adapters"])) == []
    config = files.read_json(Path(request["adapters"]) / "adapter_config.json")
    assert config["lora_parameters"] == {
        "rank": 4,
        "scale": 2.0,
        "dropout": 0.1,
        "keys": ["self_attn.q_proj", "self_attn.v_proj"],
    }
    assert result["lora_layers"] == 4
    assert result["final_train_loss"] < result["first_train_loss"]
    metrics = list(files.read_jsonl(Path(request["metrics"])))
    assert [row["iteration"] for row in metrics if "train_loss" in row] == [3, 6, 9, 12]
    assert any("valid_loss" in row for row in metrics)


def test_a_setting_that_did_not_arrive_is_named(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = request_for("plain")
    run_child(MODULE, tmp_path / "work", request)
    asked = {**request, "params": {**request["params"], "learning_rate": 0.5, "batch_size": 3}}
    problems = Mlx().mismatches(asked, Path(request["adapters"]))
    assert len(problems) == 2
    assert any("learning_rate" in problem for problem in problems)
    assert any("batch_size" in problem for problem in problems)


def test_a_module_name_that_matches_nothing_is_refused_with_the_possible_names(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = request_for("wrong", training__lora__trainable_modules="[q_proj, attn.wrong]")
    with pytest.raises(OperatorError) as caught:
        run_child(MODULE, tmp_path / "work", request)
    assert "attn.wrong" in caught.value.message
    assert "self_attn.q_proj" in caught.value.remedy


@pytest.mark.parametrize("accumulation", ["1", "2"])
def test_a_killed_training_ends_with_the_same_adapter_byte_for_byte(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path, accumulation: str
) -> None:
    changes = {"training__lora__dropout": "0.2", "training__grad_accumulation_steps": accumulation}
    undisturbed = request_for("undisturbed", **changes)
    run_child(MODULE, tmp_path / "work-undisturbed", undisturbed)
    killed = request_for("killed", **changes)
    work = tmp_path / "work-killed"
    kill_after_checkpoint(work, killed)
    assert not adapter_of(killed).exists()
    run_child(MODULE, work, killed)
    assert files.sha256_file(adapter_of(killed)) == files.sha256_file(adapter_of(undisturbed))
    iterations = [
        row["iteration"] for row in files.read_jsonl(Path(killed["metrics"])) if "train_loss" in row
    ]
    assert iterations == sorted(set(iterations))


def kill_after_checkpoint(work: Path, request: Request) -> None:
    task = children.Task(module=MODULE, work=work, payload=request, log=work.parent / "child.log")
    children._prepare(task)
    process = subprocess.Popen([sys.executable, "-P", "-m", MODULE, str(work)], start_new_session=True)
    deadline = time.monotonic() + 60
    while not (work / NAME).exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_stage_2_starts_from_the_adapter_of_stage_1(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    first = request_for("first")
    run_child(MODULE, tmp_path / "work1", first)
    start = (adapter_of(first), files.sha256_file(adapter_of(first)))
    second = request_for("second", stage=2, start=start, stage2__iters="1", stage2__learning_rate="1e-9")
    run_child(MODULE, tmp_path / "work2", second)
    import mlx.core as mx

    before, after = mx.load(str(start[0])), mx.load(str(adapter_of(second)))
    assert before.keys() == after.keys()
    assert all(mx.allclose(before[name], after[name], atol=1e-6).item() for name in before)
    metadata = files.read_json(Path(second["adapters"]) / "training_metadata.json")
    assert metadata["resumed_from"] == start[1]


def test_an_adapter_of_another_shape_is_refused(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    first = request_for("first")
    run_child(MODULE, tmp_path / "work1", first)
    start = (adapter_of(first), files.sha256_file(adapter_of(first)))
    second = request_for("second", stage=2, start=start, training__lora__rank="3")
    with pytest.raises(ChildFailed, match="does not fit"):
        run_child(MODULE, tmp_path / "work2", second)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path, loss: float) -> None:
    from jobs.child import Assignment
    from jobs.mlx.train import Reports

    # OLMo-2 normalises whatever its layers put out, so no learning rate makes the tiny model diverge.
    reports = Reports(Assignment(tmp_path, {}, tmp_path / "log", {}), tmp_path / "metrics.jsonl", 10, 0)
    with pytest.raises(OperatorError, match="loss is") as caught:
        reports.on_train_loss_report({"iteration": 5, "train_loss": loss})
    assert "learning_rate" in caught.value.remedy
    assert not (tmp_path / "metrics.jsonl").exists()


def test_an_example_that_is_too_long_is_never_cut(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = request_for("long", training__max_seq_length="64")
    with pytest.raises(ChildFailed, match="64 are allowed"):
        run_child(MODULE, tmp_path / "work", request)
