"""The learning rate over the updates of a training: warm-up, then constant, linear, cosine or polynomial."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim

from jobs.mlx.training.request import Schedule

POWER = 2.0  # of what is left; 1 would be linear
Curve = Callable[[mx.array], mx.array]


def learning_rate(peak: float, schedule: Schedule, updates: int) -> float | Curve:
    """The learning rate as mlx's optimizers take it.

    Args:
        peak: Its highest value.
        schedule: How it rises to that and falls.
        updates: Optimizer updates in all (iterations / accumulation).
    """
    warmup = round(updates * schedule.warmup_ratio)
    floor = peak * schedule.min_lr_ratio
    rest = max(1, updates - warmup)
    kinds: dict[str, Callable[[], Any]] = {
        "constant": lambda: peak,
        "linear": lambda: optim.linear_schedule(peak, floor, rest),
        "cosine": lambda: _cosine(peak, rest, floor, schedule.cycles),
        "polynomial": lambda: _falling(peak, rest, floor, lambda done: (1.0 - done) ** POWER),
    }
    main = kinds[schedule.type]()
    if warmup == 0:
        return main
    # The first update should already learn: the warm-up begins one step above zero.
    rise = optim.linear_schedule(peak / (warmup + 1), peak, warmup)
    after = main if callable(main) else (lambda step: mx.array(peak))
    return optim.join_schedules([rise, after], [warmup])


def _cosine(peak: float, steps: int, floor: float, cycles: float) -> Curve:
    """Waves between peak and floor; with half a cycle mlx's own."""
    if cycles == 0.5:
        return optim.cosine_decay(peak, steps, floor)
    return _falling(peak, steps, floor, lambda done: 0.5 * (1.0 + mx.cos(2.0 * math.pi * cycles * done)))


def _falling(peak: float, steps: int, floor: float, shape: Curve) -> Curve:
    """From peak to floor as `shape` goes from 1 at 0 to where it ends at 1."""
    return lambda step: floor + (peak - floor) * shape(mx.minimum(step / steps, 1.0))
