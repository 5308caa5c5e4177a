"""Our adapters, loaded by mlx-lm's own command line: the same answer as our evaluation gives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from jobs.fs import files
from jobs.mlx.requests import AnsweringModel, AnsweringRequest
from jobs.mlx.training.request import TrainingRequest

pytestmark = pytest.mark.slow
RunChild = Callable[[str, Path, Struct], dict[str, Any]]
EXTRA_TOKENS = 4


def stock_answer(model: Path, adapters: Path | None, question: str, limit: int) -> str:
    """What `mlx_lm.generate` prints between its two rulers."""
    command = [sys.executable, "-m", "mlx_lm", "generate", "--model", str(model), "--prompt", question]
    command += ["--max-tokens", str(limit), "--temp", "0"]
    command += ["--adapter-path", str(adapters)] if adapters else []
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    assert done.returncode == 0, done.stderr
    ruler = "=" * 10
    return done.stdout.split(f"{ruler}\n", 1)[1].rsplit(f"\n{ruler}", 1)[0]


def both_models(model: Path, adapters: Path, cases: Path, answers: Path) -> AnsweringRequest:
    """Two cases for the model alone and with its adapter."""
    return AnsweringRequest(
        model=model,
        models=(
            AnsweringModel(label="base", adapters=None, sha256=None),
            AnsweringModel(label="stage1", adapters=adapters, sha256="x"),
        ),
        cases=cases,
        cases_sha256="x",
        answers=answers,
        max_cases=2,
        extra_tokens=EXTRA_TOKENS,
        batch_size=2,
        seed=1,
    )


def test_an_adapter_answers_the_same_in_mlx_lms_own_command(
    tiny_model: Path,
    data: Path,
    request_for: Callable[..., TrainingRequest],
    run_child: RunChild,
    tmp_path: Path,
) -> None:
    from mlx_lm import load

    from jobs.mlx.training.examples import tokenise

    training = request_for("trained", stage1__iters="60")
    run_child("jobs.mlx.training.train", tmp_path / "train-work", training)
    adapters = training.adapters
    request = both_models(tiny_model, adapters, data / "test.jsonl", tmp_path / "answers.jsonl")
    run_child("jobs.mlx.evaluate", tmp_path / "evaluate-work", request)
    answers = {
        (row["model"], row["index"]): row["text"] for row in files.read_jsonl(tmp_path / "answers.jsonl")
    }
    cases = list(files.read_jsonl(data / "test.jsonl"))
    _, tokenizer = load(str(tiny_model))
    asked = sorted(index for label, index in answers if label == "stage1")
    for index in asked:
        messages = cases[index]["messages"]
        tokens, start = tokenise(tokenizer, messages)
        limit = len(tokens) - start + EXTRA_TOKENS
        told = stock_answer(tiny_model, adapters, messages[0]["content"], limit)
        assert told == answers["stage1", index]
    assert len(asked) == 2
    assert any(answers["base", index] != answers["stage1", index] for index in asked)
