"""Batches whose order is a pure function of seed and position, and which waste few tokens.

mlx-lm's own iterator draws from the global numpy generator, which validation shares, so its order
cannot be continued after an interruption; and it cuts long examples from the end, where the answer is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import mlx.core as mx
import numpy as np

from jobs.mlx.training.distributed.group import ALONE, Group
from jobs.mlx.training.examples import Encoded, Examples

Item = TypeVar("Item")
Result = TypeVar("Result")
PAD_TO = 32  # fewer distinct shapes mean fewer compilations of the training step


@dataclass(frozen=True)
class Size:
    """How much goes into a batch: a number of examples, or as many of like length as a token budget holds."""

    examples: int
    tokens: int | None = None


def pad_length(length: int) -> int:
    """A length rounded up to the next multiple of PAD_TO."""
    return PAD_TO * -(-length // PAD_TO)


def pad_positions(count: int) -> int:
    """A number of loss positions rounded up to one of few sizes: 32, 64, 96, 128, 192, 256, 384, 512 ..."""
    size = PAD_TO
    while size < count:
        power_of_two = size & (size - 1) == 0
        size = (
            size * 3 // 2 if power_of_two and size > PAD_TO else size * 2 if power_of_two else size * 4 // 3
        )
    return size


def plan(lengths: Sequence[int], size: Size) -> list[list[int]]:
    """Divide examples into batches of like length; every example is in exactly one.

    Args:
        lengths: Tokens per example.
        size: With a token budget, a batch's padded tokens stay within it (one longer example stands alone).
    """
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: (lengths[index], index)):
        if not batches or not _fits(len(batches[-1]) + 1, lengths[index], size):
            batches.append([])
        batches[-1].append(index)
    return batches


def _fits(count: int, longest: int, size: Size) -> bool:
    if size.tokens is None:
        return count <= size.examples
    return count * pad_length(longest) <= size.tokens


def training_order(count: int, seed: int, start: int = 0) -> Iterator[int]:
    """Batch numbers for ever, each epoch its own permutation, from position `start` on."""
    epoch, skip = divmod(start, count)
    while True:
        for number in np.random.default_rng([seed, epoch]).permutation(count)[skip:]:
            yield int(number)
        epoch, skip = epoch + 1, 0


def assemble(rows: Sequence[Encoded]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One batch, with the positions that carry loss picked out.

    Returns:
        inputs: int32 of shape (examples, length), zero-padded.
        positions: int32 of shape (positions,): where in the flattened inputs a token is predicted.
        targets: int32 of shape (positions,): the tokens to predict there.
        weights: float32 of shape (positions,): 1, or 0 for padding.
    """
    width = pad_length(max(len(row.tokens) for row in rows) - 1)
    inputs = np.zeros((len(rows), width), np.int32)
    positions, targets = [], []
    for number, row in enumerate(rows):
        inputs[number, : len(row.tokens) - 1] = row.tokens[:-1]
        positions.append(number * width + np.arange(row.answer - 1, len(row.tokens) - 1, dtype=np.int32))
        targets.append(row.tokens[row.answer :])
    where, what = np.concatenate(positions), np.concatenate(targets)
    room = pad_positions(len(where)) - len(where)
    weights = np.pad(np.ones(len(where), np.float32), (0, room))
    return inputs, np.pad(where, (0, room)), np.pad(what, (0, room)).astype(np.int32), weights


def share(rows: Sequence[Encoded], group: Group) -> tuple[np.ndarray, ...]:
    """One process's share of a batch, as from `assemble`.

    Of several processes each gets a fifth array: an equal part of the number of the whole batch's answer
    tokens. Sums of losses divided by it have the whole batch's loss as their mean over the processes, and the
    same goes for the gradients, which is what the trainer takes of both.
    """
    if group.size == 1:
        return assemble(rows)
    mine = rows[group.rank :: group.size]
    *arrays, weights = assemble(mine or rows[:1])
    tokens = sum(len(row.tokens) - row.answer for row in rows)
    # Where there are fewer examples than processes, a process without one computes along, for nothing.
    return *arrays, weights * bool(mine), np.asarray(tokens / group.size, np.float32)


class Batches:
    """The iterator mlx-lm's trainer asks for batches, and thereby the hook after each applied step.

    When batch k + 1 is asked for, step k has been applied and evaluated, so `after_step(k)` sees an
    exact state to checkpoint.

    Args:
        size: How much goes into a batch.
        seed: Of the order of training batches.
        start: Steps that were applied before (a resumed training).
        after_step: Called with the number of steps applied so far.
        group: The processes that share each batch.
    """

    def __init__(
        self,
        size: Size,
        seed: int,
        start: int,
        after_step: Callable[[int], None],
        group: Group = ALONE,
    ) -> None:
        self.size = size
        self.seed = seed
        self.start = start
        self.after_step = after_step
        self.group = group

    def __call__(self, dataset: Examples, loop: bool = False, **_: Any) -> Iterator[tuple[mx.array, ...]]:
        """Batches as mlx-lm asks for them; validation goes once through all, in a fixed order.

        What else mlx-lm passes (batch size, length limit, seed, process group) has no say here.
        """
        groups = plan(dataset.lengths.tolist(), self.size)
        numbers = training_order(len(groups), self.seed, self.start) if loop else iter(range(len(groups)))
        prepared = ahead(
            lambda number: share([dataset[index] for index in groups[number]], self.group), numbers
        )
        for step, arrays in enumerate(prepared, self.start):
            if loop and step > self.start:
                self.after_step(step)
            yield tuple(mx.array(array) for array in arrays)


def ahead(work: Callable[[Item], Result], items: Iterator[Item]) -> Iterator[Result]:
    """Results in order, the next one being made in a thread while the present one is used."""
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[Result] | None = None
        for item in items:
            following = pool.submit(work, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
