"""The optimizer: AdamW with our schedule and, where asked for, a limit on the gradient's norm."""

from __future__ import annotations

from typing import Any

import mlx.optimizers as optim

from jobs.mlx.training.request import Parameters
from jobs.mlx.training.schedule import learning_rate


class ClippedAdamW(optim.AdamW):
    """AdamW that scales a gradient down to `max_norm` before it is applied."""

    def __init__(self, max_norm: float, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.max_norm = max_norm

    def apply_gradients(self, gradients: Any, parameters: Any) -> Any:
        """Clip, then update."""
        clipped, _ = optim.clip_grad_norm(gradients, self.max_norm)
        return super().apply_gradients(clipped, parameters)


def build(params: Parameters, iterations: int, accumulation: int, lr_backoff: float = 1.0) -> Any:
    """The optimizer of a training.

    Args:
        params: How is trained.
        iterations: Batches in all; with accumulation there are fewer updates.
        accumulation: Batches per update, which may be more than were asked for.
        lr_backoff: What the learning rate is multiplied with; below 1 after the loss had become no number.
    """
    updates = max(1, iterations // accumulation)
    rate = learning_rate(params.learning_rate * lr_backoff, params.lr_schedule, updates)
    options = {"learning_rate": rate, "weight_decay": params.weight_decay}
    if params.max_gradient_norm is None:
        return optim.AdamW(**options)
    return ClippedAdamW(params.max_gradient_norm, **options)
