"""Everything a training needs to go on as if it had not been interrupted, in one safetensors file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten, tree_unflatten

from jobs.errors import ChildFailed
from jobs.mlx.training.adapter import save_weights
from jobs.mlx.training.distributed.group import Group

NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Position:
    """Steps that were applied, and the losses that were not reported yet."""

    step: int
    unreported: tuple[float, ...] = ()


@dataclass(frozen=True)
class Trained:
    """What changes during a training: the model, with its layers in place, and its optimizer."""

    model: nn.Module
    optimizer: Any


def gather_state(model: nn.Module, group: Group) -> mx.array:
    """The random state of every process of the group, in the order of their ranks.

    Raises:
        ChildFailed: The processes do not hold the same weights any more.
    """
    if group.size == 1:
        return mx.random.state[0]
    digest = hashlib.sha256()
    for _, value in tree_flatten(model.trainable_parameters()):
        digest.update(np.asarray(mx.view(value.flatten(), mx.uint8)).tobytes())
    words = mx.array(np.frombuffer(digest.digest(), np.uint32))
    gathered = group.gather(mx.concatenate([mx.random.state[0], words]))
    if not mx.array_equal(gathered[:, 2:], mx.broadcast_to(words, (group.size, words.size))).item():
        raise ChildFailed("The processes that train together hold different weights.")
    return gathered[:, :2]


def save(path: Path, trained: Trained, position: Position, random: mx.array) -> None:
    """Write adapter, optimizer state, random state (as gathered) and position."""
    arrays = {f"adapter.{name}": value for name, value in tree_flatten(trained.model.trainable_parameters())}
    arrays |= {f"optimizer.{name}": value for name, value in tree_flatten(trained.optimizer.state)}
    arrays["random"] = random
    save_weights(path, arrays, {"position": json.dumps(asdict(position))})


def load(path: Path, trained: Trained, group: Group) -> Position:
    """Resume from a checkpoint.

    Args:
        path: The checkpoint.
        trained: Its optimizer is initialised here, before its state is loaded, or `init` would undo that
            later.
        group: As which process of how many.

    Returns:
        Where the training was.
    """
    model, optimizer = trained.model, trained.optimizer
    arrays, metadata = mx.load(str(path), return_metadata=True)
    model.load_weights(_part(arrays, "adapter."), strict=False)
    optimizer.init(model.trainable_parameters())
    optimizer.state = tree_unflatten(_part(arrays, "optimizer."))
    restore_random(arrays["random"].reshape(group.size, 2)[group.rank].tolist())
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
