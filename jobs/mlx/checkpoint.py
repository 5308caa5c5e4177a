"""Everything a training needs to go on as if it had not been interrupted, in one safetensors file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten

from jobs.mlx.adapter import save_weights

NAME = "checkpoint.safetensors"


def save(path: Path, model: nn.Module, optimizer: Any, step: int) -> None:
    """Write adapter, optimizer state, random state and position."""
    arrays = {f"adapter.{name}": value for name, value in tree_flatten(model.trainable_parameters())}
    arrays |= {f"optimizer.{name}": value for name, value in tree_flatten(optimizer.state)}
    arrays["random"] = mx.random.state[0]
    save_weights(path, arrays, {"step": str(step)})


def load(path: Path, model: nn.Module, optimizer: Any) -> int:
    """Take up a checkpoint.

    Args:
        path: The checkpoint.
        model: With LoRA layers already in place.
        optimizer: It is initialised here, before its state is loaded, or `init` would undo that later.

    Returns:
        The number of steps that were applied.
    """
    arrays, metadata = mx.load(str(path), return_metadata=True)
    model.load_weights(_part(arrays, "adapter."), strict=False)
    optimizer.init(model.trainable_parameters())
    optimizer.state = tree_unflatten(_part(arrays, "optimizer."))
    high, low = arrays["random"].tolist()
    mx.random.seed((high << 32) | low)  # the state array itself is captured by compiled functions
    return int(metadata["step"])


def _part(arrays: dict[str, mx.array], prefix: str) -> list[tuple[str, mx.array]]:
    return [(name.removeprefix(prefix), value) for name, value in arrays.items() if name.startswith(prefix)]
