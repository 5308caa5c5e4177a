"""Greedy answers and fused models, compared with mlx-lm's own ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from jobs.children import parent
from jobs.children.task import Task
from jobs.fs import files
from jobs.mlx.requests import AnsweringModel, AnsweringRequest, FusingRequest, Message
from jobs.mlx.training.request import TrainingRequest
from jobs.runs.validation import check_full_model

pytestmark = pytest.mark.slow
RequestFor = Callable[..., TrainingRequest]
RunChild = Callable[[str, Path, Struct], dict[str, Any]]

PROBE = (Message(role="user", content="Fix requests==2.31.0"),)


@pytest.fixture
def trained(request_for: RequestFor, run_child: RunChild, tmp_path: Path) -> Path:
    request = request_for(
        "trained",
        stage1__iters="120",
        training__lora__trainable_modules=(
            "[self_attn.q_proj, self_attn.v_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj]"
        ),
    )
    run_child("jobs.mlx.training.train", tmp_path / "train-work", request)
    return request.adapters


def plain_greedy(model: Any, prompt: list[int], stop: set[int], limit: int) -> list[int]:
    import mlx.core as mx
    from mlx_lm.generate import generate_step

    answer: list[int] = []
    for token, _ in generate_step(mx.array(prompt), model, max_tokens=limit + 1):
        if int(token) in stop or len(answer) >= limit:
            break
        answer.append(int(token))
    return answer


@pytest.mark.parametrize("batch_size", [1, 4])
def test_answers_drafted_and_batched_equal_plain_greedy_decoding(
    tiny_model: Path, trained: Path, data: Path, batch_size: int
) -> None:
    from mlx_lm import load

    from jobs.mlx.reference_decoding import Prompt, StopCriteria, greedy_answers
    from jobs.mlx.training.examples import tokenise

    model, tokenizer = load(str(tiny_model), adapter_path=str(trained))
    stop = frozenset(tokenizer.eos_token_ids)
    prompts: list[Prompt] = []
    for row in [*files.read_jsonl(data / "train.jsonl"), *files.read_jsonl(data / "test.jsonl")]:
        tokens, start = tokenise(tokenizer, row["messages"])
        # limits that differ: rows leave the batch at different times, and others take their place
        prompts.append(
            Prompt(tokens[:start], tokens[start:], StopCriteria(stop, 20 + 7 * (len(prompts) % 5)))
        )
    answers = dict(greedy_answers(model, prompts, batch_size))
    assert sorted(answers) == list(range(15))
    for number, prompt in enumerate(prompts):
        expected = plain_greedy(model, list(prompt.tokens), set(stop), prompt.stop.max_tokens)
        assert answers[number].tokens == expected
    assert any(answer.accepted for answer in answers.values())
    assert any(len(answer.tokens) > answer.accepted for answer in answers.values())


def test_answers_that_do_not_fit_into_memory_are_asked_in_smaller_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from collections.abc import Iterator, Sequence

    from jobs.mlx import evaluate
    from jobs.mlx.reference_decoding import Generated, Prompt, StopCriteria

    tried = []

    def cramped(model: None, prompts: Sequence[Prompt], batch_size: int) -> Iterator[tuple[int, Generated]]:
        tried.append((batch_size, len(prompts)))
        yield 0, Generated([prompts[0].stop.max_tokens], False, 0)
        if batch_size > 2:
            raise RuntimeError("[malloc_or_wait] Unable to allocate 123 bytes.")
        yield from ((n, Generated([prompts[n].stop.max_tokens], False, 0)) for n in range(1, len(prompts)))

    monkeypatch.setattr(evaluate, "greedy_answers", cramped)
    recorded: dict[int, list[int]] = {}
    fitted = evaluate.answer_all(
        None,
        {number: Prompt([1], [2], StopCriteria(frozenset({0}), number)) for number in range(7)},
        8,
        lambda number, answer: recorded.update({number: answer.tokens}),
    )
    assert fitted == 2
    assert tried == [(8, 7), (4, 6), (2, 5)]
    assert recorded == {number: [number] for number in range(7)}


def test_an_interrupted_evaluation_keeps_the_answers_it_has(
    tiny_model: Path, trained: Path, data: Path, run_child: RunChild, tmp_path: Path
) -> None:
    request = AnsweringRequest(
        model=tiny_model,
        models=(
            AnsweringModel(label="base", adapters=None, sha256=None),
            AnsweringModel(label="stage1", adapters=trained, sha256="x"),
        ),
        cases=data / "test.jsonl",
        cases_sha256="x",
        answers=tmp_path / "answers.jsonl",
        max_cases=None,
        extra_tokens=4,
        batch_size=2,
        seed=1,
    )
    run_child("jobs.mlx.evaluate", tmp_path / "whole", request)
    whole = list(files.read_jsonl(tmp_path / "answers.jsonl"))
    assert [(row["model"], row["index"]) for row in whole] == [
        (model, index) for model in ("base", "stage1") for index in range(4)
    ]
    work = tmp_path / "again"
    log = tmp_path / "child.log"
    parent.prepare(Task(module="jobs.mlx.evaluate", work=work, payload=request, log=log))
    kept = {**whole[0], "text": "kept from before"}
    files.write_jsonl(work / "answers.partial.jsonl", [kept])
    with (work / "answers.partial.jsonl").open("a") as stream:
        stream.write('{"model": "base", "ind')  # torn by a kill
    run_child("jobs.mlx.evaluate", work, request)
    assert list(files.read_jsonl(tmp_path / "answers.jsonl")) == [kept, *whole[1:]]


def test_cases_are_drawn_with_the_seed() -> None:
    from jobs.mlx.evaluate import draw

    rows = [{"n": n} for n in range(50)]
    assert draw(rows, 10, 3) == draw(rows, 10, 3)
    assert draw(rows, 10, 3) != draw(rows, 10, 4)
    assert [index for index, _ in draw(rows, 10, 3)] == sorted(index for index, _ in draw(rows, 10, 3))
    assert len(draw(rows, None, 3)) == 50


def test_a_fused_model_is_complete_loads_and_equals_base_plus_adapter(
    tiny_model: Path, trained: Path, run_child: RunChild, tmp_path: Path
) -> None:
    request = FusingRequest(
        model=tiny_model,
        adapters=trained,
        adapter_sha256="x",
        target=tmp_path / "final-model",
        dequantize=False,
        probe=PROBE,
    )
    result = run_child("jobs.mlx.fuse", tmp_path / "fuse-work", request)
    assert result["max_logit_difference"] < 1e-3
    assert result["fused_layers"] == 10
    assert [check for check in check_full_model(tmp_path / "final-model") if not check.passed] == []
    from mlx_lm import generate, load

    model, tokenizer = load(str(tmp_path / "final-model"))
    assert isinstance(generate(model, tokenizer, prompt="Fix", max_tokens=3), str)


def test_a_quantised_base_fuses_with_and_without_its_quantisation(
    tiny_model: Path, request_for: RequestFor, run_child: RunChild, tmp_path: Path
) -> None:
    from mlx_lm import load
    from mlx_lm.utils import quantize_model, save

    model, tokenizer, config = load(str(tiny_model), return_config=True)
    model, config = quantize_model(model, config, group_size=32, bits=4)
    save(tmp_path / "q4", str(tiny_model), model, tokenizer, config)
    request = replace(request_for("q4-run"), model=tmp_path / "q4")
    run_child("jobs.mlx.training.train", tmp_path / "q4-work", request)
    for dequantize in (False, True):
        target = tmp_path / f"final-{dequantize}"
        fuse = FusingRequest(
            model=tmp_path / "q4",
            adapters=request.adapters,
            adapter_sha256="x",
            target=target,
            dequantize=dequantize,
            probe=PROBE,
        )
        result = run_child("jobs.mlx.fuse", tmp_path / f"work-{dequantize}", fuse)
        assert ("quantization" in files.read_json(target / "config.json")) is not dequantize
        assert result["max_logit_difference"] < (1e-2 if dequantize else 5.0)
