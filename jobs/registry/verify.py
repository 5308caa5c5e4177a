"""Is an entry of the registry still what its name and its metadata say?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.errors import OperatorError
from jobs.fs.files import read_json, sha256_file
from jobs.registry.name import data_hash, parse_name, weights_hash
from jobs.runs.validation import read_safetensors_header

METADATA_NAME = "metadata.json"
# What Finder and friends leave in any folder that was looked at; it changes nothing about the model.
_LEFT_BY_MACOS = (".DS_Store", "._*", ".localized")


def verify(entry: Path) -> list[str]:
    """Compare an entry with its name, its metadata and itself.

    Every file is read and hashed: seconds for a model of a gigabyte.

    Args:
        entry: The entry's folder, or a link to it.

    Returns:
        Problems in words; empty means good.
    """
    if not entry.is_dir():
        return ["there is no such folder"]
    entry = entry.resolve()
    try:
        metadata = _metadata(entry)
    except (OSError, ValueError) as error:
        return [f"{METADATA_NAME} cannot be read: {error}"]
    try:
        return _problems(entry, metadata)
    except OSError as error:
        return [f"a file cannot be read: {error}"]


def entry_files(entry: Path) -> list[Path]:
    """Every file, and every link, below an entry but what macOS leaves about, in the order of their paths."""
    found = [path for path in entry.rglob("*") if path.is_symlink() or not path.is_dir()]
    kept = [path for path in found if not any(path.match(pattern) for pattern in _LEFT_BY_MACOS)]
    return sorted(kept, key=lambda path: path.relative_to(entry).as_posix())


def _problems(entry: Path, metadata: Mapping[str, Any]) -> list[str]:
    problems = _name_problems(entry, metadata)
    problems += _file_problems(entry, metadata["files"])
    for path in sorted(entry.rglob("*.safetensors")):
        problems += _header_problems(path, path.relative_to(entry).as_posix())
    return problems


def _metadata(entry: Path) -> dict[str, Any]:
    metadata = read_json(entry / METADATA_NAME)
    if not isinstance(metadata, dict) or not isinstance(metadata.get("files"), dict):
        raise ValueError("it is not an object with the entry's files")
    return metadata


def _name_problems(entry: Path, metadata: Mapping[str, Any]) -> list[str]:
    try:
        name = parse_name(entry.name)
        real = str(replace(name, data_hash=data_hash(entry), weights_hash=weights_hash(entry)))
    except OperatorError as error:
        return [error.message.rstrip(".")]
    problems = []
    if real != entry.name:
        problems.append(f"the name computed from the files is {real}")
    if metadata.get("name") != entry.name:
        problems.append(f"{METADATA_NAME} speaks of {metadata.get('name')}")
    stated = tuple(metadata.get(key) for key in ("family", "version", "language", "datasets"))
    if stated != (name.family, name.version, name.language, list(name.datasets)):
        problems.append(f"{METADATA_NAME} states other parts than the name: {stated}")
    return problems


def _file_problems(entry: Path, stated: Mapping[str, Any]) -> list[str]:
    real = {path.relative_to(entry).as_posix(): path for path in entry_files(entry)}
    real.pop(METADATA_NAME, None)
    problems = [f"{path} is missing" for path in sorted(set(stated) - set(real))]
    problems += [f"{path} is not in {METADATA_NAME}" for path in sorted(set(real) - set(stated))]
    for path in sorted(set(real) & set(stated)):
        if problem := _content_problem(real[path], stated[path]):
            problems.append(f"{path} {problem}")
    return problems


def _content_problem(path: Path, stated: Any) -> str | None:
    if path.is_symlink() or not path.is_file():
        return "is not a regular file: an entry must be self-contained"
    if not isinstance(stated, dict):
        return f"has no size and hash in {METADATA_NAME}"
    if path.stat().st_size != stated.get("bytes"):
        return f"has {path.stat().st_size} bytes instead of {stated.get('bytes')}"
    return None if sha256_file(path) == stated.get("sha256") else "has another content than when certified"


def _header_problems(path: Path, name: str) -> list[str]:
    if not path.is_file():  # a link to nowhere; that it is a link is told already
        return []
    try:
        read_safetensors_header(path)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return [f"{name} is no readable safetensors file: {error}"]
    return []
