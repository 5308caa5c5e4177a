"""The learning rate over the updates of a training: warm-up, then constant, linear or cosine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim


def learning_rate(params: dict[str, Any], updates: int) -> float | Callable[[mx.array], mx.array]:
    """The learning rate as mlx's optimizers take it.

    Args:
        params: `learning_rate`, and `lr_schedule` with `type`, `warmup_ratio` and `min_lr_ratio`.
        updates: Optimizer updates in all (iterations / accumulation).
    """
    peak, schedule = params["learning_rate"], params["lr_schedule"]
    warmup = round(updates * schedule["warmup_ratio"])
    floor = peak * schedule["min_lr_ratio"]
    rest = max(1, updates - warmup)
    kinds: dict[str, Callable[[], Any]] = {
        "constant": lambda: peak,
        "linear": lambda: optim.linear_schedule(peak, floor, rest),
        "cosine": lambda: optim.cosine_decay(peak, rest, floor),
    }
    main = kinds[schedule["type"]]()
    if warmup == 0:
        return main
    # The first update should already learn: the warm-up begins one step above zero.
    rise = optim.linear_schedule(peak / (warmup + 1), peak, warmup)
    after = main if callable(main) else (lambda step: mx.array(peak))
    return optim.join_schedules([rise, after], [warmup])
