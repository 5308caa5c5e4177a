"""Folder kinds are contracts: an adapter folder holds LoRA files only, a model folder a whole model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jobs.fs import files

CHECKPOINT = re.compile(r"^\d{7}_adapters\.safetensors$")
ADAPTER_FILES = frozenset({"adapters.safetensors", "adapter_config.json", "training_metadata.json"})
LORA_TENSORS = ("lora_a", "lora_b", "m")
DATA_FILES = ("train.jsonl", "valid.jsonl", "test.jsonl")
MAX_HEADER = 100 * 1024 * 1024  # the safetensors library's own limit


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    passed: bool
    detail: str

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return asdict(self)


def read_safetensors_header(path: Path) -> dict[str, Any]:
    """The header of a safetensors file, checked against the file's size.

    Raises:
        ValueError: It is not a complete safetensors file.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or not 2 <= length <= min(MAX_HEADER, size - 8):
            raise ValueError("no safetensors header")
        header: dict[str, Any] = json.loads(stream.read(length))
    ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
    if not ends:
        raise ValueError("holds no tensors")
    if 8 + length + max(ends) != size:
        raise ValueError(f"has {size} bytes where its header promises {8 + length + max(ends)}")
    return header


def check_adapters(folder: Path, expected: Mapping[str, Any]) -> list[Check]:
    """Check a folder of LoRA files.

    Args:
        folder: `stageN/adapters`.
        expected: What `adapter_config.json` must say, key by key.
    """
    checks = [_present(folder, name) for name in sorted(ADAPTER_FILES)]
    if not all(check.passed for check in checks):
        return checks
    names = {path.name for path in folder.iterdir()}
    foreign = sorted(name for name in names - ADAPTER_FILES if not CHECKPOINT.match(name))
    checks.append(
        Check("LoRA files only", not foreign, f"foreign files: {foreign}" if foreign else "nothing else")
    )
    checks.append(_json_object(folder / "adapter_config.json"))
    config = files.read_json(folder / "adapter_config.json") if checks[-1].passed else {}
    full = config.get("fine_tune_type") == "full"
    checks.append(_adapter_tensors(folder / "adapters.safetensors", full))
    for key, value in expected.items():
        found = config.get(key)
        checks.append(
            Check(f"adapter_config.{key}", _same(found, value), f"asked for {value!r}, written {found!r}")
        )
    return checks


def check_full_model(folder: Path) -> list[Check]:
    """Check a folder that must hold a complete model: configuration, every weight, tokenizer."""
    checks = [_json_object(folder / name) for name in ("config.json", "tokenizer_config.json")]
    tokenizers = [name for name in ("tokenizer.json", "tokenizer.model") if (folder / name).is_file()]
    checks.append(
        Check("tokenizer", bool(tokenizers), f"{folder.name} has {tokenizers or 'no tokenizer file'}")
    )
    weights = sorted(folder.glob("model*.safetensors"))
    checks.append(Check("weights", bool(weights), f"{len(weights)} model*.safetensors"))
    checks += [_model_weights(path) for path in weights]
    checks += _shards(folder / "model.safetensors.index.json", {path.name for path in weights})
    adapters = sorted(path.name for path in folder.glob("*adapter*")) if folder.is_dir() else []
    found = f"adapters beside a full model: {adapters}" if adapters else "none"
    checks.append(Check("no adapters", not adapters, found))
    return checks


def _shards(index: Path, present: set[str]) -> list[Check]:
    if not index.is_file():
        return []
    readable = _json_object(index)
    if not readable.passed:
        return [readable]
    missing = sorted(set(files.read_json(index).get("weight_map", {}).values()) - present)
    return [Check("every shard", not missing, f"missing shards: {missing}" if missing else "complete")]


def check_training_data(folder: Path) -> list[Check]:
    """Check a folder of training data: the three parts, JSONL only, something to train on."""
    checks = [_present(folder, name, may_be_empty=name != "train.jsonl") for name in DATA_FILES]
    foreign = sorted(path.name for path in folder.glob("*") if path.name not in DATA_FILES)
    checks.append(
        Check("JSONL only", not foreign, f"foreign files: {foreign}" if foreign else "nothing else")
    )
    return checks


def _present(folder: Path, name: str, may_be_empty: bool = False) -> Check:
    path = folder / name
    if not path.is_file():
        return Check(name, False, f"{name} is missing")
    size = path.stat().st_size
    return Check(name, size > 0 or may_be_empty, f"{name} has {size} bytes")


def _json_object(path: Path) -> Check:
    present = _present(path.parent, path.name)
    if not present.passed:
        return present
    try:
        value = files.read_json(path)
    except ValueError as error:
        return Check(path.name, False, f"{path.name} is not JSON: {error}")
    return present if isinstance(value, dict) else Check(path.name, False, f"{path.name} holds no object")


def _readable(path: Path) -> Check:
    try:
        header = read_safetensors_header(path)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return Check(path.name, False, f"{path.name} {error}")
    return Check(path.name, True, f"{len(header)} entries")


def _model_weights(path: Path) -> Check:
    check = _readable(path)
    if not check.passed:
        return check
    lora = [name for name in read_safetensors_header(path) if name.rsplit(".", 1)[-1] in LORA_TENSORS[:2]]
    return Check(path.name, False, f"{path.name} holds LoRA tensors: {lora[:3]}") if lora else check


def _adapter_tensors(path: Path, full: bool) -> Check:
    """LoRA's and DoRA's tensors only, or, of a model trained in full, none of them."""
    check = _readable(path)
    if not check.passed:
        return check
    names = [name for name in read_safetensors_header(path) if name != "__metadata__"]
    other = [name for name in names if (name.rsplit(".", 1)[-1] in LORA_TENSORS) == full]
    return Check(
        "trained weights" if full else "LoRA tensors",
        not other,
        f"other tensors: {other[:3]}" if other else f"{len(names)} tensors",
    )


def _same(found: Any, asked: Any) -> bool:
    if isinstance(asked, Mapping):
        return isinstance(found, Mapping) and all(
            _same(found.get(key), value) for key, value in asked.items()
        )
    if isinstance(asked, float) and isinstance(found, int | float):
        return abs(found - asked) <= 1e-6 * max(abs(asked), 1e-12)  # rates live as 32-bit floats
    if isinstance(asked, list | tuple):
        return isinstance(found, list) and sorted(map(str, found)) == sorted(map(str, asked))
    return bool(found == asked)
