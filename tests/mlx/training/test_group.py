"""Two processes that train together over loopback with MLX's ring; what each computes, and how they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import Struct

from config.job import of_stage
from config.load import load
from jobs.children import life, parent, protocol
from jobs.children.outcome import State, outcome_of
from jobs.children.task import Task
from jobs.errors import ChildFailed, JobError, NetworkError, OperatorError
from jobs.fs import files, locks
from jobs.mlx.training.batches import assemble, share
from jobs.mlx.training.distributed.group import ALONE, Group
from jobs.mlx.training.distributed.launch import host_entries
from jobs.mlx.training.examples import Encoded
from jobs.mlx.training.request import TrainingRequest
from jobs.providers.mlx.provider import Mlx
from jobs.providers.mlx.request import differences

RequestFor = Callable[..., TrainingRequest]
RunChild = Callable[[str, Path, Struct], dict[str, Any]]
MODULE = "jobs.mlx.training.train"
LOOPBACK = "127.0.0.1"
TOLERANCE = 1e-5  # absolute, of adapter weights that moved by 1e-2 and more
SHARED = {
    "stage1__batch_size": "4",
    "stage1__iters": "24",
    "training__lora__dropout": "0.0",
    "training__schedule__type": "cosine",
    "training__schedule__warmup_ratio": "0.2",
    "training__grad_accumulation_steps": "2",
}


def two_processes() -> dict[str, str]:
    return {"training__hosts": "[127.0.0.1, 127.0.0.1]", "training__launch_port": str(free_ports())}


def free_ports() -> int:
    """A port that is free, as is the next one."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind((LOOPBACK, 0))
            port = int(first.getsockname()[1])
            try:
                second.bind((LOOPBACK, port + 1))
            except OSError:
                continue
            if port < 65_000:
                return port


def adapter_of(request: TrainingRequest) -> Path:
    return request.adapters / "adapters.safetensors"


def reports_of(request: TrainingRequest) -> list[tuple[Any, ...]]:
    rows = files.read_jsonl(request.metrics)
    keys = ("iteration", "train_loss", "valid_loss", "learning_rate")
    return [tuple(row.get(key) for key in keys) for row in rows if "resumed" not in row]


def begun(work: Path, request: TrainingRequest) -> subprocess.Popen[bytes]:
    """The training child as the daemon starts it."""
    task = Task(module=MODULE, work=work, payload=request, log=work.parent / "child.log")
    parent.prepare(task)
    with (work / protocol.OUTPUT).open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(work)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=work,
            start_new_session=True,
        )


def failure_of(task: Task) -> JobError:
    outcome = outcome_of(task.work, task.key)
    assert outcome.state is State.FAILED
    assert outcome.error is not None
    return outcome.error


def until(condition: Callable[[], bool], what: str, patience: float = 60.0) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.005)


def processes_of(session: int) -> list[int]:
    """The living processes of a session."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,stat=", "-s", str(session)], capture_output=True, text=True, check=False
    )
    rows = [line.split() for line in listed.stdout.splitlines()]
    return [int(pid) for pid, state in rows if not state.startswith("Z")]


def some(lengths: list[int]) -> list[Encoded]:
    return [Encoded(np.arange(length, dtype=np.int32) % 300, length // 2) for length in lengths]


# shares


@pytest.mark.parametrize("lengths", [[8, 12, 20, 31], [9, 40, 41], [17]])
def test_the_shares_of_a_batch_have_the_whole_batchs_loss_and_gradient_as_their_mean(
    lengths: list[int],
) -> None:
    import mlx.core as mx
    import mlx.nn as nn
    from mlx.utils import tree_flatten, tree_map
    from mlx_lm.models import olmo2

    from jobs.mlx.training.loss import AnswerLoss

    mx.random.seed(3)
    model = olmo2.Model(
        olmo2.ModelArgs(
            model_type="olmo2",
            hidden_size=16,
            num_hidden_layers=1,
            intermediate_size=32,
            num_attention_heads=2,
            rms_norm_eps=1e-6,
            vocab_size=300,
        )
    )
    compute = nn.value_and_grad(model, AnswerLoss(model))

    def of(arrays: tuple[np.ndarray, ...]) -> tuple[float, float, Any]:
        (loss, count), gradient = compute(model, *(mx.array(array) for array in arrays))
        return loss.item(), count.item(), gradient

    rows = some(lengths)
    whole_loss, whole_count, whole_gradient = of(assemble(rows))
    shares = [of(share(rows, Group(rank, 2))) for rank in range(2)]
    assert np.mean([loss for loss, _, _ in shares]) == pytest.approx(whole_loss, rel=1e-6)
    assert sum(count for _, count, _ in shares) == whole_count
    mean = tree_map(lambda one, other: (one + other) / 2, *(gradient for _, _, gradient in shares))
    expected = dict(tree_flatten(whole_gradient))
    for name, value in tree_flatten(mean):
        assert mx.allclose(value, expected[name], rtol=1e-4, atol=1e-7).item(), name


def test_a_process_that_is_alone_has_the_batch_as_it_is() -> None:
    rows = some([8, 12, 20])
    assert len(share(rows, ALONE)) == 4
    assert all(np.array_equal(*pair) for pair in zip(share(rows, ALONE), assemble(rows), strict=True))


# hosts


def test_hosts_that_cannot_work_together_are_refused_with_the_reason() -> None:
    with pytest.raises(OperatorError, match="mixes"):
        host_entries([LOOPBACK, "192.0.2.7"])
    with pytest.raises(OperatorError, match="not this machine"):
        host_entries(["192.0.2.7", "192.0.2.8"])  # addresses for documentation: nobody has them
    assert host_entries([LOOPBACK, LOOPBACK]) == [{"ssh": LOOPBACK, "ips": [LOOPBACK]}] * 2


def test_a_batch_that_cannot_be_divided_among_the_hosts_is_refused() -> None:
    settings = load(environ={"SECTUNE__TRAINING__HOSTS": "[127.0.0.1, 127.0.0.1]"}).settings
    problems = Mlx().validate(of_stage(settings, 1)).errors
    assert [problem.key for problem in problems] == ["schedule.batch_size"]
    assert "2 processes" in problems[0].message


# trainings


@pytest.mark.slow
def test_two_processes_come_to_what_one_comes_to_with_the_same_batches(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    import mlx.core as mx

    alone = request_for("alone", **SHARED)
    run_child(MODULE, tmp_path / "work-alone", alone)
    together = request_for("together", **SHARED, **two_processes())
    result = run_child(MODULE, tmp_path / "work-together", together)
    one, two = mx.load(str(adapter_of(alone))), mx.load(str(adapter_of(together)))
    assert one.keys() == two.keys()
    difference = max(mx.abs(one[name] - two[name]).max().item() for name in one)
    moved = max(mx.abs(value).max().item() for name, value in one.items() if name.endswith("lora_b"))
    assert difference < TOLERANCE < 1e-2 < moved, (difference, moved)
    assert differences(together) == []
    assert files.read_json(together.adapters / "adapter_config.json")["processes"] == 2
    assert result["examples"] == {"train": 11, "valid": 3}
    for told, expected in zip(reports_of(together), reports_of(alone), strict=True):
        assert [number or 0.0 for number in told] == pytest.approx([number or 0.0 for number in expected])
    begun_by = [
        row["pid"] for row in files.read_jsonl(tmp_path / "child.log") if "training begins" in row["event"]
    ]
    assert len(begun_by) == 2  # once alone, and once by the first of the two


@pytest.mark.slow
def test_a_group_that_is_killed_ends_as_a_whole_and_goes_on_with_the_same_bytes(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    changes = {**SHARED, "training__lora__dropout": "0.2"}
    undisturbed = request_for("undisturbed", **changes, **two_processes())
    run_child(MODULE, tmp_path / "work-undisturbed", undisturbed)
    killed = request_for("killed", **changes, **two_processes())
    work = tmp_path / "work-killed"
    numbered = work / "adapters"
    for snapshot in ("0000004", "0000012"):
        process = begun(work, killed)
        until((numbered / f"{snapshot}_adapters.safetensors").exists, f"the snapshot of {snapshot}")
        assert len(processes_of(process.pid)) == 3
        os.kill(process.pid, signal.SIGKILL)  # the child alone; both others must end with it
        process.wait()
        until(lambda session=process.pid: not processes_of(session), "the end of the group", 10.0)  # type: ignore[misc]
    assert not adapter_of(killed).exists()
    run_child(MODULE, work, killed)
    assert files.sha256_file(adapter_of(killed)) == files.sha256_file(adapter_of(undisturbed))
    assert reports_of(killed) == reports_of(undisturbed)


@pytest.mark.slow
def test_a_group_is_adopted_and_asked_to_stop_like_a_single_trainer(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    changes = {**SHARED, "stage1__iters": "80", "training__checkpoint_every": "1000"}
    request = request_for("stopped", **changes, **two_processes())
    work = tmp_path / "work"
    process = begun(work, request)
    until(lambda: request.metrics.exists() and len(reports_of(request)) > 2, "reports")
    assert life.living(work) == process.pid
    assert parent.stop(work)
    assert process.wait(60) == 0
    assert locks.lock_holder(work / protocol.LOCK) is None
    assert (work / "checkpoint.safetensors").exists()
    assert not (work / protocol.RECEIPT).exists()
    adopted = begun(work, request)
    until(lambda: life.living(work) == adopted.pid, "the lock")
    result = run_child(MODULE, work, request)  # finds it alive, and follows it to its receipt
    assert adopted.wait(10) == 0
    assert result["iterations"] == 80
    iterations = [row[0] for row in reports_of(request) if row[1] is not None]
    assert iterations == sorted(set(iterations))


@pytest.mark.slow
def test_what_fails_in_the_group_fails_the_child_in_its_own_words(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    wrong = request_for(
        "wrong", **SHARED, **two_processes(), training__lora__trainable_modules="[attn.wrong]"
    )
    with pytest.raises(OperatorError, match=r"attn\.wrong"):
        run_child(MODULE, tmp_path / "work-wrong", wrong)
    request = request_for("halved", **{**SHARED, "stage1__iters": "4000"}, **two_processes())
    work = tmp_path / "work"
    process = begun(work, request)
    until(lambda: request.metrics.exists() and len(reports_of(request)) > 2, "reports")
    others = [pid for pid in processes_of(process.pid) if pid != process.pid]
    os.kill(max(others), signal.SIGKILL)
    assert process.wait(60) == 1
    assert processes_of(process.pid) == []
    # The launcher may end the survivor before it could say what it saw.
    with pytest.raises((NetworkError, ChildFailed), match=r"lost one another|without an outcome"):
        raise failure_of(Task(module=MODULE, work=work, payload=request, log=tmp_path / "child.log"))
