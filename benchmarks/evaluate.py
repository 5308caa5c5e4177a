"""Our evaluation against `mlx_lm.generate` one case at a time: the same answers, and in how much of its time.

`python -m benchmarks.evaluate` trains a small OLMo-2 model on made-up fixes until it knows most of them by
heart ("right"), with a snapshot from the time when it had hardly begun ("wrong"), and has both ways answer
the same cases, in turns. Loading and training are not timed. `--keep` holds the models for the next time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx_lm import load, stream_generate

from benchmarks.specimens import Shape, build_model, fix, window_rows
from jobs.mlx.answers import Ending, Generated, Question
from jobs.mlx.batches import assemble
from jobs.mlx.evaluate import answer_all
from jobs.mlx.examples import Encoded, tokenise
from jobs.mlx.loss import AnswerLoss

# Heads of 128 as in OLMo-2: with smaller ones the CPU would spend its time on softmax, not on weights.
SHAPE = Shape(hidden=128, layers=4, heads=1, vocabulary=1024)
LINES, CONTEXT, EXTRA_TOKENS, BATCH = 12, 4, 64, 8
AIMS = {"wrong": 0.25, "right": 0.1}


@dataclass(frozen=True)
class Plan:
    """What is measured: cases, rounds, batch size, and the epochs after which each model is taken."""

    cases: int
    rounds: int
    batch_size: int
    epochs: dict[str, int]
    folder: Path


def main() -> None:
    """Measure and print."""
    plan, as_json = _plan()
    rows = _rows(plan.cases)
    if not all((plan.folder / f"{label}.safetensors").exists() for label in plan.epochs):
        build_model(plan.folder, rows, SHAPE, seed=1)
        _train(plan, rows)
    results = {
        "cases": plan.cases,
        "batch_size": plan.batch_size,
        "shape": asdict(SHAPE),
        "device": str(mx.default_device()),
        "preload": os.environ.get("LD_PRELOAD"),
        "models": {label: _compare(plan, rows, label) for label in plan.epochs},
    }
    if as_json:
        json.dump(results, sys.stdout, indent=2)
    else:
        _print(results)


def _plan() -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=50, help="until most is known by heart")
    parser.add_argument("--early", type=int, default=8, help="epochs until the snapshot that is mostly wrong")
    parser.add_argument("--keep", type=Path, help="folder for the models")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="sectune-benchmark-"))
    epochs = {"wrong": given.early, "right": given.epochs}
    return Plan(given.cases, given.rounds, given.batch_size, epochs, folder), given.json


def _rows(count: int) -> list[dict[str, Any]]:
    chance = random.Random(1)
    return [window_rows(fix(chance, LINES), CONTEXT)[0] for _ in range(count)]


def _train(plan: Plan, rows: list[dict[str, Any]]) -> None:
    model, tokenizer = load(str(plan.folder))
    encoded = [
        Encoded(np.array(tokens, np.int32), start)
        for tokens, start in (tokenise(tokenizer, row["messages"]) for row in rows)
    ]
    encoded.sort(key=lambda each: len(each.tokens))
    batches = [assemble(encoded[start : start + BATCH]) for start in range(0, len(encoded), BATCH)]
    model.train()
    last = max(plan.epochs.values())
    optimizer = optim.AdamW(optim.cosine_decay(3e-3, last * len(batches), 3e-4), weight_decay=0.0)
    step = nn.value_and_grad(model, AnswerLoss(model))
    chance = random.Random(2)
    for epoch in range(1, last + 1):
        chance.shuffle(batches)
        for batch in batches:
            (loss, _), gradient = step(model, *map(mx.array, batch))
            optimizer.update(model, optim.clip_grad_norm(gradient, 1.0)[0])
            mx.eval(model.parameters(), optimizer.state)
        sys.stderr.write(f"\repoch {epoch} of {last}, loss {loss.item():.3f} ")
        for label in (label for label, wanted in plan.epochs.items() if wanted == epoch):
            model.save_weights(str(plan.folder / f"{label}.safetensors"))
    sys.stderr.write("\n")


def _compare(plan: Plan, rows: list[dict[str, Any]], label: str) -> dict[str, Any]:
    model, tokenizer = load(str(plan.folder))
    model.load_weights(str(plan.folder / f"{label}.safetensors"))
    model.eval()
    questions = {number: _question(tokenizer, row) for number, row in enumerate(rows)}
    stock: dict[int, list[int]] = {}
    ours: dict[int, Generated] = {}
    seconds: dict[str, list[float]] = {"stock": [], "ours": []}
    for _ in range(plan.rounds):
        began = time.perf_counter()
        answer_all(model, questions, plan.batch_size, ours.__setitem__)
        seconds["ours"].append(time.perf_counter() - began)
        began = time.perf_counter()
        stock = {number: _stock(model, tokenizer, question) for number, question in questions.items()}
        seconds["stock"].append(time.perf_counter() - began)
    ratios = [mine / theirs for mine, theirs in zip(seconds["ours"], seconds["stock"], strict=True)]
    tokens = [question.reference[:-2] for question in questions.values()]  # without the stop and a newline
    return {
        "right": sum(list(known) == stock[number] for number, known in enumerate(tokens)),
        "different_answers": sum(ours[number].tokens != answer for number, answer in stock.items()),
        "answer_tokens": sum(map(len, stock.values())),
        "drafted_tokens": sum(answer.drafted for answer in ours.values()),
        "seconds": seconds,
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "aim": AIMS[label],
        "peak_memory_gb": mx.get_peak_memory() / 1e9,
    }


def _question(tokenizer: Any, row: dict[str, Any]) -> Question:
    tokens, start = tokenise(tokenizer, row["messages"])
    ending = Ending(frozenset(tokenizer.eos_token_ids), len(tokens) - start + EXTRA_TOKENS)
    return Question(tokens[:start], tokens[start:], ending)


def _stock(model: Any, tokenizer: Any, question: Question) -> list[int]:
    # What mlx_lm.generate does; it joins the pieces' texts, we want their tokens.
    pieces = stream_generate(model, tokenizer, list(question.prompt), max_tokens=question.ending.limit)
    tokens = [piece.token for piece in pieces]
    return tokens[:-1] if tokens[-1] in question.ending.stop else tokens


def _print(results: dict[str, Any]) -> None:
    write = sys.stdout.write
    write(f"{results['cases']} cases, batches of {results['batch_size']}, {results['device']}\n")
    for label, model in results["models"].items():
        write(
            f"{label}: {model['right']} of {results['cases']} exact, "
            f"{model['different_answers']} answers differ from mlx_lm.generate's; "
            f"median ratio of time {model['ratio']:.3f} (aim {model['aim']}), "
            f"rounds {', '.join(f'{ratio:.3f}' for ratio in model['ratios'])}; "
            f"stock {statistics.median(model['seconds']['stock']):.1f} s, "
            f"ours {statistics.median(model['seconds']['ours']):.1f} s; "
            f"{model['drafted_tokens']} of {model['answer_tokens']} answer tokens from the draft\n"
        )


if __name__ == "__main__":
    main()
