"""Everything a training needs to go on as if it had not been interrupted, in one safetensors file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_unflatten

from jobs.mlx.adapter import save_weights

NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Position:
    """Steps that were applied, and the losses that were not reported yet."""

    step: int
    unreported: tuple[float, ...] = ()


def save(path: Path, model: nn.Module, optimizer: Any, position: Position) -> None:
    """Write adapter, optimizer state, random state and position."""
    arrays = {f"adapter.{name}": value for name, value in tree_flatten(model.trainable_parameters())}
    arrays |= {f"optimizer.{name}": value for name, value in tree_flatten(optimizer.state)}
    arrays["random"] = mx.random.state[0]
    save_weights(path, arrays, {"position": json.dumps(asdict(position))})


def load(path: Path, model: nn.Module, optimizer: Any) -> Position:
    """Take up a checkpoint.

    Args:
        path: The checkpoint.
        model: With LoRA layers already in place.
        optimizer: It is initialised here, before its state is loaded, or `init` would undo that later.

    Returns:
        Where the training was.
    """
    arrays, metadata = mx.load(str(path), return_metadata=True)
    model.load_weights(_part(arrays, "adapter."), strict=False)
    optimizer.init(model.trainable_parameters())
    optimizer.state = tree_unflatten(_part(arrays, "optimizer."))
    restore_random(arrays["random"].tolist())
    position = json.loads(metadata["position"])
    return Position(position["step"], tuple(position["unreported"]))


def restore_random(key: list[int]) -> None:
    """Put the random state back to a key that was read from `mx.random.state[0]`.

    Args:
        key: Its two 32-bit halves. Seeding is the only way in: the state itself cannot be assigned.
    """
    high, low = key
    mx.random.seed((high << 32) | low)


def _part(arrays: dict[str, mx.array], prefix: str) -> list[tuple[str, mx.array]]:
    return [(name.removeprefix(prefix), value) for name, value in arrays.items() if name.startswith(prefix)]
