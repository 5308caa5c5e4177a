"""A small base model trained from scratch on a corpus of conversations, for the proof that sectune learns.

Unlike `tiny_model`, which looks at code for seconds, this one is trained until it can copy: its corpus is
made of conversations, its loss covers the answers, and its tokens are cut so that copying is easy (`PIECES`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.models import olmo2
from mlx_lm.utils import save_config, save_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from jobs.children import entry
from jobs.children.entry import Assignment
from jobs.fs import files
from jobs.mlx.toy_models import induction_heads
from jobs.mlx.toy_models.requests import CopyModelRequest
from jobs.mlx.toy_models.tiny_model import CHATML, END, START, STOP, model_config
from jobs.mlx.training.batches import Batches, Size, assemble, pad_length
from jobs.mlx.training.examples import Encoded, Examples, open_examples
from jobs.mlx.training.loss import AnswerLoss

REPORT_EVERY = 10
WARM_UP = 50  # steps
MIXED = 4  # of so many batches of the corpus, one more is of random copies
COPIED = 0.35  # nats a token: the first lesson is over
SPANS = ((0, 61), (8, 41), (0, 61))  # tokens before, tokens repeated, tokens between
# A sign belongs to the word behind it, as in OLMo-2's own tokenizer, and a dot to the number behind it. With
# a token for each dash and dot, the last token does not tell what comes next in a copy: exact match stayed 0.
PIECES = (
    r"(?<=\d)\.\d+|\d+|[^\r\n\p{L}\p{N}]?(?:\p{Lu}?\p{Ll}+|\p{Lu}+)"
    r"| ?[^\s\p{L}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def run(assignment: Assignment[CopyModelRequest]) -> dict[str, Any]:
    """Build the model folder `out`.

    Returns:
        Its size, the steps on the corpus, first and last loss in nats per answer token, the seconds.
    """
    request, began = assignment.payload, time.monotonic()
    staging = assignment.work / "model"
    shutil.rmtree(staging, ignore_errors=True)
    files.private_folder(staging)
    tokenizer = build_tokenizer(_contents(request.texts), request.shape.vocabulary)
    tokenizer.save_pretrained(staging)
    mx.random.seed(request.seed)
    config = model_config(request.shape, tokenizer)
    model = olmo2.Model(olmo2.ModelArgs.from_dict(config))
    induction_heads.lay(model, request.seed)
    examples = open_examples(
        request.corpus, tokenizer, assignment.work, request.max_seq_length, mask_prompt=True
    )
    copying, losses = _pretrain(assignment, model, examples)
    save_model(staging, model)
    save_config(config, staging / "config.json")
    files.private_folder(request.out.parent)
    files.replace_folder(staging, request.out)
    return {
        "parameters": sum(value.size for _, value in tree_flatten(model.parameters())),
        "vocabulary": len(tokenizer),
        "primer_examples": len(examples),
        "primer_tokens": int(examples.lengths.sum()),
        "copying_steps": len(copying),
        "copying_last_loss": float(np.mean(copying[-REPORT_EVERY:])),
        "primer_steps": len(losses),
        "primer_first_loss": losses[0],
        "primer_last_loss": float(np.mean(losses[-REPORT_EVERY:])),
        "seconds": time.monotonic() - began,
    }


def build_tokenizer(texts: Iterator[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with a ChatML template, in the pieces of `PIECES`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END, START, STOP],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=STOP, pad_token=END)
    fast.chat_template = CHATML
    return fast


def _contents(path: Path) -> Iterator[str]:
    for row in files.read_jsonl(path):
        for message in row["messages"]:
            yield message["role"]
            yield message["content"]


def _pretrain(
    assignment: Assignment[CopyModelRequest], model: Any, examples: Examples
) -> tuple[list[float], list[float]]:
    """Losses of the first lesson, random copies, and of the second, the corpus with more of those."""
    request, loss = assignment.payload, AnswerLoss(model)
    rng = np.random.default_rng(request.seed)
    copies = _random_copies(rng, model.args.vocab_size, request.tokens)
    texts = list(_order(examples, request))
    rate = request.rate
    warm = mlx.optimizers.linear_schedule(0.0, rate, WARM_UP)
    step = _Step(model, loss, mlx.optimizers.join_schedules([warm, lambda _: mx.array(rate)], [WARM_UP]))
    first = _learn_to_copy(assignment, step, copies)
    total = len(texts) + len(texts) // MIXED
    decay = mlx.optimizers.cosine_decay(rate, total, rate / 20)
    step = _Step(model, loss, mlx.optimizers.join_schedules([warm, decay], [WARM_UP]))
    second: list[float] = []
    for number, batch in enumerate(texts, 1):
        if number % MIXED == 0:
            step(next(copies))
        second.append(step(batch))
        if number % REPORT_EVERY == 0 or number == len(texts):
            _report(assignment, "pretraining", number, len(texts), second)
    return first, second


class _Step:
    """One step of AdamW on one batch; returns the batch's loss."""

    def __init__(self, model: Any, loss: AnswerLoss, schedule: Any) -> None:
        self._model = model
        self._optimizer = mlx.optimizers.AdamW(learning_rate=schedule, betas=[0.9, 0.98])
        self._gradient = nn.value_and_grad(model, loss)

    def __call__(self, batch: tuple[mx.array, ...]) -> float:
        (value, _), gradient = self._gradient(self._model, *batch)
        gradient, _ = mlx.optimizers.clip_grad_norm(gradient, 1.0)
        self._optimizer.update(self._model, gradient)
        mx.eval(self._model.parameters(), self._optimizer.state)
        return float(value.item())


def _learn_to_copy(
    assignment: Assignment[CopyModelRequest], step: _Step, copies: Iterator[tuple[mx.array, ...]]
) -> list[float]:
    """Until the copies are right, or `copying_steps` are over."""
    losses: list[float] = []
    for number in range(1, assignment.payload.copying_steps + 1):
        losses.append(step(next(copies)))
        if number % REPORT_EVERY == 0:
            _report(assignment, "copying", number, assignment.payload.copying_steps, losses)
            if float(np.mean(losses[-REPORT_EVERY:])) < COPIED:
                break
    return losses


def _report(assignment: Assignment[Any], phase: str, step: int, steps: int, losses: list[float]) -> None:
    recent = float(np.mean(losses[-REPORT_EVERY:]))
    assignment.report(phase=phase, iteration=step, iterations=steps, train_loss=recent)


def _random_copies(rng: np.random.Generator, vocabulary: int, tokens: int) -> Iterator[tuple[mx.array, ...]]:
    """Batches of random tokens, a part of which comes again behind a gap; the loss covers that part.

    Everything varies (where it begins, its length, the gap), as a fixed distance teaches to copy by place.
    """
    while True:
        rows: list[Encoded] = []
        longest = 0
        while (len(rows) + 1) * longest <= tokens:
            before, part, gap = (rng.integers(3, vocabulary, rng.integers(*span)) for span in SPANS)
            row = np.concatenate([before, part, gap, part])
            rows.append(Encoded(row, len(row) - len(part) + 1))
            longest = max(longest, pad_length(len(row)))
        yield tuple(mx.array(array) for array in assemble(rows))


def _order(examples: Examples, request: CopyModelRequest) -> Iterator[tuple[mx.array, ...]]:
    """Once through all of them, in a shuffled order."""
    iterator = Batches(Size(1, request.tokens), request.seed, 0, lambda step: None)
    count = len(list(iterator(examples)))
    for _, batch in zip(range(count), iterator(examples, loop=True), strict=False):
        yield batch


if __name__ == "__main__":
    entry.main(run, CopyModelRequest)
