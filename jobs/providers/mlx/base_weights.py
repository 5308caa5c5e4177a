"""What a base model's weights are, read from its configuration and its files' headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobs.fs import files
from jobs.runs.validation import read_safetensors_header

NAMES = {"F32": "fp32", "F16": "fp16", "BF16": "bf16"}


@dataclass(frozen=True)
class BaseWeights:
    """The numbers a model's weights are kept in.

    Args:
        precision: fp32, fp16, bf16, or int8, int4 and so on where they are quantised.
        quantised: Whether they are.
    """

    precision: str
    quantised: bool


def look(folder: Path) -> BaseWeights | None:
    """What a model folder holds; None where no model is.

    Args:
        folder: A model that mlx-lm can load: `config.json` says how it is quantised.
    """
    weights = sorted(folder.glob("model*.safetensors"))
    if not weights or not (folder / "config.json").is_file():
        return None
    config = files.read_json(folder / "config.json")
    quantisation = config.get("quantization") or config.get("quantization_config")
    if quantisation:
        return BaseWeights(f"int{quantisation['bits']}", True)
    return BaseWeights(_most_common(weights[0]), False)


def _most_common(path: Path) -> str:
    header = read_safetensors_header(path)
    kinds: list[str] = [tensor["dtype"] for name, tensor in header.items() if name != "__metadata__"]
    kind = max(sorted(set(kinds)), key=kinds.count)
    return NAMES.get(kind, kind.lower())
