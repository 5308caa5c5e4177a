"""Tokenised examples, and batches whose order is a pure function of seed and position.

mlx-lm's own iterator draws from the global numpy generator, which validation shares, so its order
cannot be continued after an interruption; and it cuts long examples from the end, where the answer is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from jobs import files
from jobs.errors import ChildFailed

PAD_TO = 32  # fewer distinct shapes mean fewer compilations of the training step


class Examples:
    """The tokenised examples of one JSONL part: (tokens, answer's first position) each.

    Args:
        path: A file of `{"messages": [...]}` rows.
        tokenizer: The training tokenizer, with a chat template.
        max_seq_length: No example may be longer; the data set builder saw to that.
        mask_prompt: Whether the loss covers the answer only.

    Raises:
        ChildFailed: An example is longer than `max_seq_length`, which would cut its answer.
    """

    def __init__(self, path: Path, tokenizer: Any, max_seq_length: int, mask_prompt: bool) -> None:
        self.mask_prompt = mask_prompt
        rows = [row["messages"] for row in files.read_jsonl(path)]
        self._rows = [tokenise(tokenizer, messages) for messages in rows]
        if not mask_prompt:
            self._rows = [(tokens, 1) for tokens, _ in self._rows]
        longest = max((len(tokens) for tokens, _ in self._rows), default=0)
        if longest > max_seq_length:
            raise ChildFailed(f"{path} holds an example of {longest} tokens; {max_seq_length} are allowed.")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[list[int], int]:
        return self._rows[index]


def tokenise(tokenizer: Any, messages: list[dict[str, str]]) -> tuple[list[int], int]:
    """A conversation's tokens, and the position of its answer's first token."""
    tokens = list(tokenizer.apply_chat_template(messages, return_dict=False))
    prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=False)
    return tokens, len(prompt)


def batch_indices(lengths: list[int], batch_size: int) -> list[list[int]]:
    """Examples of similar length together; the last batch may be smaller than the others."""
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def to_arrays(rows: list[tuple[list[int], int]]) -> tuple[mx.array, mx.array]:
    """One padded batch.

    Returns:
        tokens: int32 of shape (examples, length), zero-padded.
        spans: int32 of shape (examples, 2): the answer's first position and the end of the example.
    """
    longest = max(len(tokens) for tokens, _ in rows)
    width = 1 + PAD_TO * ((longest + PAD_TO - 1) // PAD_TO)
    tokens = np.zeros((len(rows), width), np.int32)
    for index, (row, _) in enumerate(rows):
        tokens[index, : len(row)] = row
    spans = [(start, len(row)) for row, start in rows]
    return mx.array(tokens), mx.array(spans)


def training_order(count: int, seed: int, start: int = 0) -> Iterator[int]:
    """Batch numbers for ever, each epoch its own permutation, from position `start` on."""
    epoch, skip = divmod(start, count)
    while True:
        for number in np.random.default_rng([seed, epoch]).permutation(count)[skip:]:
            yield int(number)
        epoch, skip = epoch + 1, 0


class Batches:
    """The iterator mlx-lm's trainer asks for batches, and thereby the hook after each applied step.

    When batch k + 1 is asked for, step k has been applied and evaluated, so `after_step(k)` sees an
    exact state to checkpoint.

    Args:
        seed: Of the order of training batches.
        start: Steps that were applied before (a resumed training).
        after_step: Called with the number of steps applied so far.
    """

    def __init__(self, seed: int, start: int, after_step: Callable[[int], None]) -> None:
        self.seed = seed
        self.start = start
        self.after_step = after_step

    def __call__(
        self,
        dataset: Examples,
        batch_size: int,
        loop: bool = False,
        **_: Any,
    ) -> Iterator[tuple[mx.array, mx.array]]:
        """Batches as mlx-lm expects them; validation goes once through all, in a fixed order.

        What else mlx-lm passes (length limit, seed, process group) has no say here.
        """
        groups = batch_indices([len(dataset[index][0]) for index in range(len(dataset))], batch_size)
        if not loop:
            for group in groups:
                yield to_arrays([dataset[index] for index in group])
            return
        for step, number in enumerate(training_order(len(groups), self.seed, self.start), self.start):
            if step > self.start:
                self.after_step(step)
            yield to_arrays([dataset[index] for index in groups[number]])


def answer_loss(model: Any, tokens: mx.array, spans: mx.array) -> tuple[mx.array, mx.array]:
    """Mean cross-entropy over the answers' tokens.

    mlx-lm's own mask also counts the first padding token behind each example; this one does not.

    Args:
        model: Maps tokens of shape (examples, length) to logits of shape (examples, length, vocabulary).
        tokens: As from `to_arrays`.
        spans: As from `to_arrays`.

    Returns:
        The loss in nats per token, and the number of tokens it covers.
    """
    logits = model(tokens[:, :-1]).astype(mx.float32)
    targets = tokens[:, 1:]
    position = mx.arange(1, targets.shape[1] + 1)
    mask = mx.logical_and(position >= spans[:, 0:1], position < spans[:, 1:])
    chosen = mx.take_along_axis(logits, targets[..., None], axis=-1).squeeze(-1)
    entropy = (mx.logsumexp(logits, axis=-1) - chosen) * mask
    count = mask.sum()
    return entropy.sum() / count, count
