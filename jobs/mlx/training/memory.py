"""Memory: the limits from the settings, and what to do when a batch does not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from jobs.errors import OperatorError
from jobs.mlx.training.batches import Size, plan, share
from jobs.mlx.training.checkpoint import restore_random
from jobs.mlx.training.distributed.group import Group
from jobs.mlx.training.examples import Examples
from jobs.mlx.training.loss import Objective
from jobs.mlx.training.request import MemoryLimits

GB = 10**9
SIGNS = ("malloc", "out of memory", "unable to allocate", "insufficient memory", "outofmemory", "bad_alloc")


def set_limits(limits: MemoryLimits) -> None:
    """Apply the limits; what is None stays as it is, and only Apple's GPU has wired memory."""
    wired = limits.wired_limit_gb if mx.metal.is_available() else None
    for limit, apply in (
        (limits.memory_limit_gb, mx.set_memory_limit),
        (limits.cache_limit_gb, mx.set_cache_limit),
        (wired, mx.set_wired_limit),
    ):
        if limit is not None:
            apply(int(limit * GB))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of MLX's means that memory ran out; MLX has no type of its own for it."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in SIGNS)


@dataclass(frozen=True)
class Fitting:
    """The batch size that fits, and the accumulation that makes up for a smaller one."""

    size: Size
    accumulation: int
    fallbacks: int


def fit(size: Size, accumulation: int, attempt: Callable[[Size], None]) -> Fitting:
    """Halve the batch and double the accumulation until the largest batch fits.

    Args:
        size: What was asked for.
        accumulation: What was asked for.
        attempt: Raises where a batch of this size does not fit.

    Raises:
        OperatorError: Not even the smallest batch fits.
    """
    fallbacks = 0
    while True:
        try:
            attempt(size)
            return Fitting(size, accumulation, fallbacks)
        except (RuntimeError, MemoryError) as error:
            smaller = halve(size)
            if not is_out_of_memory(error):
                raise
            if smaller is None:
                raise OperatorError(
                    f"Out of memory with a single example per batch: {error}",
                    "Set training.grad_checkpoint: true, or lower training.max_seq_length, "
                    "or use a smaller or quantised base model.",
                ) from error
            mx.clear_cache()
            size, accumulation, fallbacks = smaller, accumulation * 2, fallbacks + 1


def halve(size: Size) -> Size | None:
    """Half of a batch; None where there is nothing left to halve."""
    if size.tokens is not None:
        return Size(size.examples, size.tokens // 2) if size.tokens >= 256 else None
    return Size(size.examples // 2) if size.examples > 1 else None


def largest_batch_fits(objective: Objective, examples: Examples, size: Size, group: Group) -> None:
    """Compute loss and gradient of the batch that needs most; nothing is updated.

    Args:
        objective: What is computed.
        examples: All of them.
        size: How much goes into a batch.
        group: Each process computes its share; memory that lacks in one lacks in all.

    Doing this before the first step means that a lack of memory costs seconds, not a day, and that
    the batch size never changes in the middle of a training.
    """
    key = mx.random.state[0].tolist()
    groups = plan(examples.lengths.tolist(), size)
    longest = max(groups, key=lambda group: len(group) * max(len(examples[index].tokens) for index in group))
    batch = [mx.array(array) for array in share([examples[index] for index in longest], group)]
    objective.model.train()

    def compute() -> None:
        (value, _), gradient = nn.value_and_grad(objective.model, objective.loss)(objective.model, *batch)
        mx.eval(value, gradient)

    group.attempt(compute, is_out_of_memory)
    restore_random(key)  # dropout drew from it
