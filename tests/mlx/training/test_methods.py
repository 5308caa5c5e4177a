"""LoRA, QLoRA, DoRA and full: each is really trained, resumed, loaded by plain mlx-lm and fused."""

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
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.mlx.requests import FusingRequest, Message, PullingRequest
from jobs.mlx.training.checkpoint import NAME
from jobs.mlx.training.request import TrainingRequest
from jobs.providers.mlx.request import differences
from jobs.providers.provider import StartAdapter
from jobs.runs.validation import check_adapters, check_full_model

pytestmark = pytest.mark.slow
RequestFor = Callable[..., TrainingRequest]
RunChild = Callable[[str, Path, Struct], dict[str, Any]]
MODULE = "jobs.mlx.training.train"
EVERY_LINEAR = "[self_attn.q_proj, self_attn.v_proj, mlp.gate_proj, mlp.down_proj]"
METHODS = ["lora", "dora", "full"]
PROBE = [{"role": "user", "content": "Fix:\n```text\npkg1==1.1\n```"}]


@pytest.fixture
def four_bits(tiny_model: Path, tmp_path: Path, run_child: RunChild) -> Path:
    target = tmp_path / "four-bits" / "model"
    request = PullingRequest(source=str(tiny_model), revision=None, target=target, bits=4, group_size=32)
    run_child("jobs.mlx.pull", tmp_path / "four-bits-work", request)
    return target


@pytest.fixture
def half_precision(tiny_model: Path, tmp_path: Path) -> Path:
    import mlx.core as mx
    from mlx_lm import load
    from mlx_lm.utils import save

    target = tmp_path / "half-precision"
    model, tokenizer, config = load(str(tiny_model), return_config=True)
    model.set_dtype(mx.bfloat16)
    save(target, str(tiny_model), model, tokenizer, config)
    return target


def train(run_child: RunChild, request: TrainingRequest, work: Path) -> dict[str, Any]:
    result = run_child(MODULE, work, request)
    assert differences(request) == []
    return result


def adapter_of(request: TrainingRequest) -> Path:
    return request.adapters / "adapters.safetensors"


def logits(model: Any, tokenizer: Any) -> Any:
    import mlx.core as mx

    tokens = tokenizer.apply_chat_template(PROBE, add_generation_prompt=True, return_dict=False)
    return model(mx.array(tokens)[None]).astype(mx.float32)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_trains_what_it_says_and_plain_mlx_lm_loads_the_same_model(
    method: str, tiny_model: Path, request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    import mlx.core as mx
    from mlx_lm import load

    from jobs.mlx.training import adapter

    request = request_for("trained", training__method=method, training__lora__trainable_modules=EVERY_LINEAR)
    result = train(run_child, request, tmp_path / "work")
    assert result["final_train_loss"] < result["first_train_loss"]
    config = files.read_json(request.adapters / "adapter_config.json")
    assert config["fine_tune_type"] == method
    assert result["lora_layers"] == (0 if method == "full" else 8)
    assert [check for check in check_adapters(request.adapters, {}) if not check.passed] == []
    leaves = {name.rsplit(".", 1)[-1] for name in mx.load(str(adapter_of(request)))}
    assert (
        leaves
        == {
            "lora": {"lora_a", "lora_b"},
            "dora": {"lora_a", "lora_b", "m"},
            "full": {"weight"},
        }[method]
    )

    own, tokenizer = load(str(tiny_model))
    untrained = logits(own, tokenizer)
    adapter.prepare(own, request.params)
    adapter.load_weights(own, adapter_of(request))
    own.eval()
    assert adapter.fine_tune_type(own) == method
    plain, _ = load(str(tiny_model), adapter_path=str(request.adapters))
    assert mx.array_equal(logits(own, tokenizer), logits(plain, tokenizer)).item()
    assert not mx.allclose(untrained, logits(plain, tokenizer), atol=1e-3).item()


@pytest.mark.parametrize(
    ("method", "quantised"), [("dora", False), ("dora", True), ("qlora", True), ("full", False)]
)
def test_a_killed_training_of_any_method_ends_with_the_same_bytes(
    method: str,
    quantised: bool,
    request_for: RequestFor,
    run_child: RunChild,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    changes = {"training__method": method, "training__lora__dropout": "0.2"}
    model = {"model": request.getfixturevalue("four_bits")} if quantised else {}
    undisturbed = replace(request_for("undisturbed", **changes), **model)
    train(run_child, undisturbed, tmp_path / "work-undisturbed")
    killed = replace(request_for("killed", **changes), **model)
    work = tmp_path / "work-killed"
    kill_after_checkpoint(work, killed)
    assert not adapter_of(killed).exists()
    train(run_child, killed, work)
    assert files.sha256_file(adapter_of(killed)) == files.sha256_file(adapter_of(undisturbed))
    assert any(row.get("resumed") for row in files.read_jsonl(killed.metrics))


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


@pytest.mark.parametrize("method", ["dora", "full"])
def test_stage_2_goes_on_from_stage_1_with_the_same_method(
    method: str, request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    import mlx.core as mx

    first = request_for("first", training__method=method)
    train(run_child, first, tmp_path / "work1")
    start = StartAdapter(adapter_of(first), files.sha256_file(adapter_of(first)))
    still = {"stage2__iters": "1", "stage2__learning_rate": "1e-9"}
    second = request_for("second", stage=2, start=start, training__method=method, **still)
    train(run_child, second, tmp_path / "work2")
    before, after = mx.load(str(start.path)), mx.load(str(adapter_of(second)))
    assert before.keys() == after.keys()
    assert all(mx.allclose(before[name], after[name], atol=1e-6).item() for name in before)


@pytest.mark.parametrize("method", METHODS)
def test_a_trained_model_is_fused_and_answers_as_with_its_adapter(
    method: str, tiny_model: Path, request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = request_for("trained", training__method=method)
    train(run_child, request, tmp_path / "work")
    result = fuse(run_child, request, tmp_path)
    assert result["fused_layers"] == (0 if method == "full" else 4)
    assert result["max_logit_difference"] < 1e-4


@pytest.mark.parametrize("method", ["lora", "dora"])
@pytest.mark.parametrize("base", ["half_precision", "four_bits"])
def test_a_fused_layer_keeps_the_numbers_of_its_base(
    method: str,
    base: str,
    request_for: RequestFor,
    run_child: RunChild,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    import mlx.core as mx

    model = request.getfixturevalue(base)
    asked = replace(request_for("trained", training__method=method), model=model)
    train(run_child, asked, tmp_path / "work")
    fuse(run_child, asked, tmp_path)
    before, after = (
        mx.load(str(folder / "model.safetensors")) for folder in (model, tmp_path / "final-model")
    )
    assert {name: value.dtype for name, value in before.items()} == {
        name: value.dtype for name, value in after.items()
    }


def fuse(run_child: RunChild, request: TrainingRequest, folder: Path) -> dict[str, Any]:
    payload = FusingRequest(
        model=request.model,
        adapters=request.adapters,
        adapter_sha256="x",
        target=folder / "final-model",
        dequantize=False,
        probe=tuple(Message(**message) for message in PROBE),
    )
    result = run_child("jobs.mlx.fuse", folder / "fuse-work", payload)
    assert [check for check in check_full_model(folder / "final-model") if not check.passed] == []
    return result


def test_full_on_a_quantised_base_is_refused_by_the_trainer_too(
    four_bits: Path, request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    request = replace(request_for("refused", training__method="full"), model=four_bits)
    with pytest.raises(OperatorError, match="quantised") as caught:
        run_child(MODULE, tmp_path / "work", request)
    assert "training.method" in caught.value.remedy


def test_full_of_the_last_block_leaves_the_others_as_they_are(
    request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    import mlx.core as mx

    request = request_for("trained", training__method="full", training__num_layers="1")
    train(run_child, request, tmp_path / "work")
    assert {name.split(".")[2] for name in mx.load(str(adapter_of(request)))} == {"1"}
    numbered = [path for path in request.adapters.iterdir() if path.name.startswith("0")]
    assert numbered == []  # each would be as large as the model
