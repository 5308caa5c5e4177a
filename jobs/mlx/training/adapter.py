"""What of a model is trained (LoRA, DoRA, everything): put it in, read back what is there, load another's."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten
from mlx_lm.tuner.dora import DoRALinear
from mlx_lm.tuner.lora import LoRALinear
from mlx_lm.tuner.utils import linear_to_lora_layers

from jobs.children.request import to_json
from jobs.errors import ChildFailed, OperatorError
from jobs.fs import files
from jobs.mlx.training.request import LoraShape, Parameters

LAYERS = (LoRALinear, DoRALinear)
QUANTISED = (nn.QuantizedLinear, nn.QuantizedEmbedding)


def prepare(model: nn.Module, params: Parameters) -> list[tuple[str, nn.Module]]:
    """Freeze all of the model that is not trained, and put LoRA or DoRA layers into it.

    Args:
        model: An mlx-lm model.
        params: What is trained; all blocks of a full training include embeddings and output layer.

    Returns:
        Every LoRA or DoRA layer with its name.

    Raises:
        OperatorError: More blocks were asked for than there are, no layer has such a name, or the weights
            themselves cannot be trained.
    """
    num_layers, lora = params.num_layers, params.lora_parameters
    if num_layers > len(model.layers):
        raise OperatorError(
            f"training.num_layers is {num_layers}, but the model has {len(model.layers)} blocks."
        )
    model.freeze()
    if lora is None:
        _unfreeze(model, num_layers)
        return []
    return _add_layers(model, params.fine_tune_type == "dora", num_layers, lora)


def _unfreeze(model: nn.Module, num_layers: int) -> None:
    if any(isinstance(module, QUANTISED) for _, module in model.named_modules()):
        raise OperatorError(
            "training.method is full, but the base model is quantised: such weights have no gradient.",
            "Set training.method to lora, qlora or dora, or take a base model in 16 or 32 bits.",
        )
    for part in [model] if num_layers == -1 else model.layers[-num_layers:]:
        part.unfreeze()


def _add_layers(
    model: nn.Module, dora: bool, num_layers: int, lora: LoraShape
) -> list[tuple[str, nn.Module]]:
    linear_to_lora_layers(model, num_layers, to_json(lora), use_dora=dora)
    layers = lora_layers(model)
    missing = [key for key in lora.keys if not any(name.endswith("." + key) for name, _ in layers)]
    if missing:
        raise OperatorError(
            f"No layer of the model is called {', '.join(missing)}.",
            f"training.lora.trainable_modules can be: {', '.join(linear_names(model))}.",
        )
    return layers


def lora_layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Every LoRA or DoRA layer of a model with its name."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, LAYERS)]


def fine_tune_type(model: nn.Module) -> str:
    """What is trained, read from the live layers, in mlx-lm's words.

    Raises:
        ChildFailed: Layers of both kinds are there.
    """
    kinds = {"dora" if isinstance(layer, DoRALinear) else "lora" for _, layer in lora_layers(model)}
    if len(kinds) > 1:
        raise ChildFailed("LoRA and DoRA layers are mixed.")
    return kinds.pop() if kinds else "full"


def linear_names(model: nn.Module) -> list[str]:
    """The names that LoRA could be put on, relative to a block."""
    linear = (nn.Linear, nn.QuantizedLinear)
    found = {
        name.removesuffix(".linear")
        for name, module in model.layers[0].named_modules()
        if isinstance(module, linear)
    }
    return sorted(found)


def lora_as_built(model: nn.Module) -> LoraShape | None:
    """The LoRA settings read from the live layers; None where there are none.

    Raises:
        ChildFailed: The layers differ among themselves.
    """
    layers = lora_layers(model)
    if not layers:
        return None
    seen = {
        (layer.lora_a.shape[1], float(layer.scale), round(1.0 - layer.dropout._p_1, 6)) for _, layer in layers
    }
    if len(seen) != 1:
        raise ChildFailed(f"LoRA layers differ: {sorted(seen)}")
    rank, scale, dropout = seen.pop()
    keys = sorted({name.split(".", 3)[3] if name.startswith("model.layers.") else name for name, _ in layers})
    return LoraShape(rank=rank, scale=scale, dropout=dropout, keys=tuple(keys))


def weights(model: nn.Module) -> dict[str, mx.array]:
    """The trainable parameters by name."""
    return dict(tree_flatten(model.trainable_parameters()))


def load_weights(model: nn.Module, path: Path) -> None:
    """Continue from another adapter of the same shape.

    Raises:
        ChildFailed: The file's names or shapes are not this model's.
    """
    loaded = mx.load(str(path))
    own = weights(model)
    if {name: value.shape for name, value in loaded.items()} != {name: v.shape for name, v in own.items()}:
        raise ChildFailed(f"The adapter {path} does not fit the model: other layers, rank or base model.")
    model.load_weights(list(loaded.items()), strict=False)


def save_weights(path: Path, arrays: dict[str, mx.array], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file atomically and durably."""
    # mlx appends .safetensors to names without it, so the temporary name ends in it, too.
    temporary = path.with_name(f".{path.stem}.tmp.safetensors")
    mx.save_safetensors(str(temporary), arrays, metadata or {"format": "mlx"})
    with temporary.open("rb+") as stream:
        files.fsync_fd(stream.fileno())
    temporary.replace(path)
    files.fsync_folder(path.parent)
