"""Our evaluation against `mlx_lm.generate` one case at a time: the same answers, and in how much of its time.

`python -m benchmarks.evaluate` trains a small OLMo-2 model on other made-up fixes for a minute or two and has
both ways answer 200 cases it has not seen, ours twice:

wrong  with the cases' true references, of which such a model gets few or none right;
right  with the model's own greedy answers (made before, not timed) as references, but for every tenth case,
       which keeps its true one.

The prompts are the same, so stock answers them once a round. The order changes from round to round. Loading
and training are not timed; `--keep` holds the model for the next time. Where an answer is not stock's, the
table says how far apart the two tokens' logits are where they part: batched and single passes add up in
another order, so a tie can fall either way.

What ours can gain hangs on how much more a token costs alone than in a long pass; the table says how much
that is on this model, which is narrow, and on this machine. It also says how many answers only the limit
ended: after so little training few end by themselves.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx_lm import load, stream_generate
from mlx_lm.models.cache import make_prompt_cache

from benchmarks import blas
from benchmarks.specimens import Shape, build_model, fix, window_rows
from jobs.mlx.evaluate import answer_all
from jobs.mlx.reference_decoding import Generated, Prompt, StopCriteria
from jobs.mlx.training.batches import assemble
from jobs.mlx.training.examples import Encoded, tokenise
from jobs.mlx.training.loss import AnswerLoss

SHAPE = Shape(hidden=64, layers=4, heads=1, vocabulary=1024)
LINES, CONTEXT, EXTRA_TOKENS, BATCH = 30, 8, 64, 8  # windows and limit as in the settings' defaults
WRONG_OF = 10  # in `right`, one case of so many keeps its true reference
AIMS = {"wrong": 0.25, "right": 0.1}
Prompts = dict[int, Prompt]


@dataclass(frozen=True)
class Plan:
    """What is measured, and how long the model is trained: steps of eight examples."""

    cases: int
    rounds: int
    batch_size: int
    steps: int
    folder: Path
    library: Path | None


@dataclass(frozen=True)
class Answer:
    """One of mlx_lm.generate's answers: its text, and its tokens without the stop token."""

    text: str
    tokens: list[int]


def main() -> None:
    """Measure and print."""
    plan, as_json = _plan()
    blas.restart_with(plan.library, "benchmarks.evaluate")
    # Each training row is seen four times or so: what counts is the form, not knowing them by heart.
    rows = _rows(plan.cases + plan.steps * BATCH // 4)
    if not (plan.folder / "trained.safetensors").exists():
        build_model(plan.folder, rows, SHAPE, seed=1)
        _train(plan, rows[plan.cases :])
    results = _measure(plan, rows[: plan.cases])
    if as_json:
        json.dump(results, sys.stdout, indent=2)
    else:
        sys.stdout.write(_told(results))


def _plan() -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16, help="the settings' default is 16")
    parser.add_argument("--steps", type=int, default=80, help="of training, eight examples each")
    parser.add_argument("--keep", type=Path, help="folder for the model")
    parser.add_argument("--json", action="store_true")
    blas.add_option(parser)
    given = parser.parse_args()
    folder = given.keep or Path(tempfile.mkdtemp(prefix="sectune-benchmark-"))
    return Plan(given.cases, given.rounds, given.batch_size, given.steps, folder, given.blas), given.json


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
    optimizer = optim.AdamW(optim.cosine_decay(3e-3, plan.steps, 3e-4), weight_decay=0.0)
    step = nn.value_and_grad(model, AnswerLoss(model))
    chance = random.Random(2)
    for number in range(1, plan.steps + 1):
        (loss, _), gradient = step(model, *map(mx.array, chance.choice(batches)))
        optimizer.update(model, optim.clip_grad_norm(gradient, 1.0)[0])
        mx.eval(model.parameters(), optimizer.state)
        sys.stderr.write(f"\rstep {number} of {plan.steps}, loss {loss.item():.3f} ")
    sys.stderr.write("\n")
    model.save_weights(str(plan.folder / "trained.safetensors"))


def _measure(plan: Plan, rows: list[dict[str, Any]]) -> dict[str, Any]:
    model, tokenizer = load(str(plan.folder))
    model.load_weights(str(plan.folder / "trained.safetensors"))
    model.eval()
    true = {number: _prompt(tokenizer, row) for number, row in enumerate(rows)}
    answers: dict[str, dict[int, Generated]] = {"wrong": {}, "right": {}}
    stock: dict[int, Answer] = {}
    ways: dict[str, Callable[[], Any]] = {"stock": lambda: stock.update(_stock(model, tokenizer, true))}
    # Not timed: both warm up, and `right` gets its references.
    _ours(model, true, plan.batch_size, answers["wrong"])()
    _generate(model, tokenizer, true[0])
    asked = {"wrong": true, "right": _mostly_right(true, answers["wrong"])}
    for label, prompts in asked.items():
        ways[label] = _ours(model, prompts, plan.batch_size, answers[label])
    seconds = _in_turns(ways, plan.rounds)
    return {
        "step_to_pass": _step_to_pass(model, list(true[0].tokens)),
        "cases": plan.cases,
        "batch_size": plan.batch_size,
        "shape": asdict(SHAPE),
        "device": str(mx.default_device()),
        "blas": blas.name(plan.library),
        "training_steps": plan.steps,
        "prompt_tokens": sum(len(prompt.tokens) for prompt in true.values()),
        "answer_tokens": sum(len(answer.tokens) for answer in stock.values()),
        "stock_seconds": seconds["stock"],
        "models": {
            label: {
                **_compared(model, tokenizer, prompts, stock, answers[label]),
                **_timed(seconds, label),
            }
            for label, prompts in asked.items()
        },
    }


def _mostly_right(prompts: Prompts, known: dict[int, Generated]) -> Prompts:
    return {
        number: prompt
        if number % WRONG_OF == 0
        else Prompt(prompt.tokens, [*known[number].tokens, min(prompt.stop.stop_tokens)], prompt.stop)
        for number, prompt in prompts.items()
    }


def _ours(model: Any, prompts: Prompts, batch_size: int, answers: dict[int, Generated]) -> Callable[[], Any]:
    return lambda: answer_all(model, prompts, batch_size, answers.__setitem__)


def _in_turns(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            mx.clear_cache()
            began = time.perf_counter()
            ways[name]()
            seconds[name].append(time.perf_counter() - began)
        sys.stderr.write(
            f"round {number + 1}: { ({name: round(each[-1], 2) for name, each in seconds.items()}) }\n"
        )
    return seconds


def _timed(seconds: dict[str, list[float]], label: str) -> dict[str, Any]:
    ratios = [mine / theirs for mine, theirs in zip(seconds[label], seconds["stock"], strict=True)]
    return {
        "seconds": seconds[label],
        "ratio": statistics.median(ratios),
        "ratios": ratios,
        "aim": AIMS[label],
    }


def _compared(
    model: Any,
    tokenizer: Any,
    prompts: Prompts,
    stock: dict[int, Answer],
    ours: dict[int, Generated],
) -> dict[str, Any]:
    other = [number for number in prompts if tokenizer.decode(ours[number].tokens) != stock[number].text]
    return {
        "exact": sum(_is_exact(prompt, stock[number]) for number, prompt in prompts.items()),
        "different_texts": len(other),
        "logits_apart": [
            _apart(model, prompts[number], ours[number].tokens, stock[number].tokens) for number in other
        ],
        "drafted_tokens": sum(answer.accepted for answer in ours.values()),
        "ended_by_the_limit": sum(answer.truncated for answer in ours.values()),
    }


def _is_exact(prompt: Prompt, answer: Answer) -> bool:
    ends = [place for place, token in enumerate(prompt.reference) if token in prompt.stop.stop_tokens]
    return list(prompt.reference[: ends[0] if ends else None]) == answer.tokens


def _apart(model: Any, prompt: Prompt, ours: list[int], stock: list[int]) -> float:
    """How far apart the best two logits are, in one pass, where two answers part."""
    both = zip([*ours, -1], [*stock, -1], strict=False)
    place = next(place for place, pair in enumerate(both) if pair[0] != pair[1])
    logits = model(mx.array([*prompt.tokens, *stock[:place]])[None])[0, -1]
    second, first = mx.sort(logits)[-2:].tolist()
    return float(first - second)


def _step_to_pass(model: Any, prompt: list[int]) -> float:
    """What a token costs in a step of one, against its share of a pass over a prompt; the fastest of 5."""
    passes, steps = [], []
    for _ in range(5):
        cache = make_prompt_cache(model)
        passes.append(_seconds(model, prompt, cache))
        steps.append(_seconds(model, [1], cache))
    return min(steps) / (min(passes) / len(prompt))


def _seconds(model: Any, tokens: list[int], cache: list[Any]) -> float:
    began = time.perf_counter()
    mx.eval(model(mx.array([tokens]), cache=cache))
    return time.perf_counter() - began


def _prompt(tokenizer: Any, row: dict[str, Any]) -> Prompt:
    tokens, start = tokenise(tokenizer, row["messages"])
    stop = StopCriteria(frozenset(tokenizer.eos_token_ids), len(tokens) - start + EXTRA_TOKENS)
    return Prompt(tokens[:start], tokens[start:], stop)


def _stock(model: Any, tokenizer: Any, prompts: Prompts) -> dict[int, Answer]:
    return {number: _generate(model, tokenizer, prompt) for number, prompt in prompts.items()}


def _generate(model: Any, tokenizer: Any, prompt: Prompt) -> Answer:
    # All that mlx_lm.generate does is to join these pieces' texts; we want to see their tokens, too.
    pieces = list(stream_generate(model, tokenizer, list(prompt.tokens), max_tokens=prompt.stop.max_tokens))
    tokens = [piece.token for piece in pieces]
    return Answer(
        "".join(piece.text for piece in pieces),
        tokens[:-1] if tokens[-1] in prompt.stop.stop_tokens else tokens,
    )


def _told(results: dict[str, Any]) -> str:
    lines = [
        f"{results['cases']} cases, {results['prompt_tokens']} tokens asked, {results['answer_tokens']} "
        f"answered, batches of {results['batch_size']}, {results['device']}, {results['blas']}",
        f"a token alone costs {results['step_to_pass']:.0f} times what it costs in a pass over a prompt",
        "references    exact  other texts  by limit  drafted  s (stock)  s (ours)  ratio  aim   rounds",
    ]
    for label, model in results["models"].items():
        rounds = ", ".join(f"{ratio:.3f}" for ratio in model["ratios"])
        lines.append(
            f"mostly {label:6} {model['exact']:5}  {model['different_texts']:11}  "
            f"{model['ended_by_the_limit']:8}  "
            f"{model['drafted_tokens'] / results['answer_tokens']:7.0%}  "
            f"{statistics.median(results['stock_seconds']):9.1f}  "
            f"{statistics.median(model['seconds']):8.1f}  "
            f"{model['ratio']:.3f}  {model['aim']:<4}  {rounds}"
        )
        if model["logits_apart"]:
            lines.append(f"  logits apart where they part: {max(model['logits_apart']):.1e} at most")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
