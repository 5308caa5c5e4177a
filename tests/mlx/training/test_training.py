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
from msgspec import Struct
from msgspec.structs import replace

from jobs.children import parent
from jobs.children.task import Task
from jobs.errors import ChildFailed, OperatorError
from jobs.fs import files
from jobs.mlx.training.checkpoint import NAME
from jobs.mlx.training.request import TrainingRequest
from jobs.providers.mlx.request import differences
from jobs.providers.provider import StartAdapter

pytestmark = pytest.mark.slow
RequestFor = Callable[..., TrainingRequest]
RunChild = Callable[[str, Path, Struct], dict[str, Any]]
MODULE = "jobs.mlx.training.train"


def adapter_of(request: TrainingRequest) -> Path:
    return request.adapters / "adapters.safetensors"


def test_every_setting_arrives_and_the_loss_falls(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = request_for(
        "plain", training__lora__rank="4", training__lora__alpha="8", training__lora__dropout="0.1"
    )
    result = run_child(MODULE, tmp_path / "work", request)
    assert differences(request) == []
    config = files.read_json(request.adapters / "adapter_config.json")
    assert config["lora_parameters"] == {
        "rank": 4,
        "scale": 2.0,
        "dropout": 0.1,
        "keys": ["self_attn.q_proj", "self_attn.v_proj"],
    }
    assert result["lora_layers"] == 4
    assert result["final_train_loss"] < result["first_train_loss"]
    metrics = list(files.read_jsonl(request.metrics))
    assert [row["iteration"] for row in metrics if "train_loss" in row] == [3, 6, 9, 12]
    assert any("valid_loss" in row for row in metrics)


def test_a_setting_that_did_not_arrive_is_named(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = request_for("plain")
    run_child(MODULE, tmp_path / "work", request)
    asked = replace(request, params=replace(request.params, learning_rate=0.5, batch_size=3))
    problems = differences(asked)
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
    iterations = [row["iteration"] for row in files.read_jsonl(killed.metrics) if "train_loss" in row]
    assert iterations == sorted(set(iterations))


def kill_after_checkpoint(work: Path, request: TrainingRequest) -> None:
    task = Task(module=MODULE, work=work, payload=request, log=work.parent / "child.log")
    parent.prepare(task)
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
    start = StartAdapter(adapter_of(first), files.sha256_file(adapter_of(first)))
    second = request_for("second", stage=2, start=start, stage2__iters="1", stage2__learning_rate="1e-9")
    run_child(MODULE, tmp_path / "work2", second)
    import mlx.core as mx

    before, after = mx.load(str(start.path)), mx.load(str(adapter_of(second)))
    assert before.keys() == after.keys()
    assert all(mx.allclose(before[name], after[name], atol=1e-6).item() for name in before)
    metadata = files.read_json(second.adapters / "training_metadata.json")
    assert metadata["resumed_from"] == start.sha256


def test_an_adapter_of_another_shape_is_refused(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    first = request_for("first")
    run_child(MODULE, tmp_path / "work1", first)
    start = StartAdapter(adapter_of(first), files.sha256_file(adapter_of(first)))
    second = request_for("second", stage=2, start=start, training__lora__rank="3")
    with pytest.raises(ChildFailed, match="does not fit"):
        run_child(MODULE, tmp_path / "work2", second)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path, loss: float) -> None:
    from jobs.children.entry import Assignment
    from jobs.mlx.training.reports import Diverged, Reports, Span
    from jobs.mlx.training.train import _back_off

    # OLMo-2 normalises whatever its layers put out, so no learning rate makes the tiny model diverge.
    assignment = Assignment(tmp_path, {}, tmp_path / "log", {})
    reports = Reports(assignment, tmp_path / "metrics.jsonl", Span(0, 10), 5)
    with pytest.raises(Diverged, match="loss is") as caught:
        reports.on_train_loss_report(
            {
                "iteration": 5,
                "train_loss": loss,
                "learning_rate": 1,
                "tokens_per_second": 1,
                "peak_memory": 1,
                "iterations_per_second": 1,
            }
        )
    assert not (tmp_path / "metrics.jsonl").exists()
    _back_off(assignment, caught.value)
    with pytest.raises(OperatorError, match="halved already") as given_up:
        _back_off(assignment, caught.value)
    assert "learning_rate" in given_up.value.remedy


def test_an_example_that_is_too_long_is_never_cut(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = request_for("long")
    # below the settings' own limit, and below the examples
    request = replace(request, params=replace(request.params, max_seq_length=64))
    with pytest.raises(ChildFailed, match="64 are allowed"):
        run_child(MODULE, tmp_path / "work", request)


def test_the_best_adapter_by_validation_goes_on_and_a_training_that_gets_worse_stops(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    changes = {
        "stage1__iters": "200",
        "stage1__learning_rate": "0.5",
        "training__evaluate_every": "4",
        "training__checkpoint_every": "4",
        "training__early_stopping_patience": "2",
    }
    request = request_for("early", **changes)
    result = run_child(MODULE, tmp_path / "work", request)
    metrics = list(files.read_jsonl(request.metrics))
    valid = {
        row["iteration"]: row["valid_loss"] for row in metrics if "valid_loss" in row and row["iteration"]
    }
    assert result["stopped_early"]
    assert max(valid) < 200
    assert result["chosen_iteration"] == min(valid, key=lambda iteration: (valid[iteration], iteration))
    numbered = request.adapters / f"{result['chosen_iteration']:07d}_adapters.safetensors"
    import mlx.core as mx

    chosen, kept = mx.load(str(adapter_of(request))), mx.load(str(numbered))
    assert all(mx.array_equal(chosen[name], kept[name]).item() for name in kept)


def test_a_token_budget_keeps_the_number_of_example_passes(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = request_for("budget", stage1__iters="44", training__batch_tokens="256")
    result = run_child(MODULE, tmp_path / "work", request)
    assert result["passes_over_data"] == 4
    assert 4 <= result["iterations"] < 44
    assert differences(request) == []


def test_a_killed_training_with_schedule_and_budget_is_exact_too(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    changes = {
        "stage1__iters": "60",
        "training__batch_tokens": "256",
        "training__schedule__type": "cosine",
        "training__schedule__warmup_ratio": "0.2",
        "training__max_gradient_norm": "0.5",
        "training__evaluate_every": "3",
    }
    undisturbed = request_for("undisturbed", **changes)
    first = run_child(MODULE, tmp_path / "work-undisturbed", undisturbed)
    killed = request_for("killed", **changes)
    kill_after_checkpoint(tmp_path / "work-killed", killed)
    second = run_child(MODULE, tmp_path / "work-killed", killed)
    assert files.sha256_file(adapter_of(killed)) == files.sha256_file(adapter_of(undisturbed))
    assert first == second | {"peak_memory_gb": first["peak_memory_gb"]}


def test_a_training_that_is_asked_to_stop_checkpoints_first_and_loses_no_iteration(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    changes = {"stage1__iters": "80", "training__checkpoint_every": "1000", "training__evaluate_every": "7"}
    undisturbed = request_for("undisturbed", **changes)
    run_child(MODULE, tmp_path / "work-undisturbed", undisturbed)
    stopped = request_for("stopped", **changes)
    work = tmp_path / "work-stopped"
    task = Task(module=MODULE, work=work, payload=stopped, log=tmp_path / "child.log")
    parent.prepare(task)
    process = subprocess.Popen([sys.executable, "-P", "-m", MODULE, str(work)], start_new_session=True)
    metrics = stopped.metrics
    deadline = time.monotonic() + 60
    while not metrics.exists() or not any("train_loss" in row for row in files.read_jsonl(metrics)):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    assert (work / NAME).exists()
    assert not (work / "receipt.json").exists()
    run_child(MODULE, work, stopped)
    assert files.sha256_file(adapter_of(stopped)) == files.sha256_file(adapter_of(undisturbed))
    iterations = [row["iteration"] for row in files.read_jsonl(metrics) if "train_loss" in row]
    assert iterations == sorted(set(iterations))
