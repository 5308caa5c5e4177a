"""The loss over the answers' tokens, with the output layer computed only where there is loss.

With a vocabulary of 100,000 the output layer is most of a small model's memory, and of a prompt's
positions nobody ever reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mlx.core as mx

OutputLayer = Callable[[mx.array], mx.array]


class AnswerLoss:
    """Mean cross-entropy, in nats per answer token.

    Args:
        model: An mlx-lm model. Where its output layer can be applied to chosen positions with the same
            result as the whole model gives (tried here, on a few tokens), it is; otherwise the whole is.
    """

    def __init__(self, model: Any) -> None:
        self.sparse = _same_when_split(model)

    def __call__(  # noqa: PLR0913 - one argument for each array of a batch
        self,
        model: Any,
        inputs: mx.array,
        positions: mx.array,
        targets: mx.array,
        weights: mx.array,
        count: mx.array | None = None,
    ) -> tuple[mx.array, mx.array]:
        """The loss of one batch, as from `batches.share`, and the number of tokens it covers.

        `count` is what the sum is divided by, where this is one process's share of a batch.
        """
        if self.sparse:
            hidden = model.model(inputs)
            logits = output_layer(model)(hidden.reshape(-1, hidden.shape[-1])[positions])
        else:
            whole = model(inputs)
            logits = whole.reshape(-1, whole.shape[-1])[positions]
        logits = logits.astype(mx.float32)
        chosen = mx.take_along_axis(logits, targets[:, None], axis=-1).squeeze(-1)
        entropy = (mx.logsumexp(logits, axis=-1) - chosen) * weights
        count = weights.sum() if count is None else count
        return entropy.sum() / count, count


@dataclass(frozen=True)
class Objective:
    """A model, and the loss that is made smaller."""

    model: Any
    loss: AnswerLoss


def output_layer(model: Any) -> OutputLayer:
    """What makes logits of hidden states: (positions, width) becomes (positions, vocabulary)."""
    if "lm_head" in model:
        return model.lm_head
    return model.model.embed_tokens.as_linear


def _same_when_split(model: Any) -> bool:
    # Models may scale or cap their logits after the output layer; only a comparison can tell.
    probe = mx.array([[1, 2, 3]])
    try:
        split = output_layer(model)(model.model(probe))
    except (AttributeError, TypeError, KeyError):
        return False
    return bool(mx.array_equal(split, model(probe)).item())
