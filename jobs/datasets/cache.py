"""The cache: finished data sets by the hash of all that decides their bytes, shared between runs.

An entry is a folder named by its key, with the parts and their statistics. It is copied, not linked: what a
run's owner does to his files must not reach another run. Every file is hashed while it is copied; an entry
that is not what it was is thrown away and built again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from jobs.datasets.parts.assemble import scratch_beside
from jobs.datasets.public.rows import data_files, local_path
from jobs.datasets.public.source import Source
from jobs.datasets.request import Stage1Request, Stage2Request
from jobs.fs import files

_AnyRequest = Stage1Request | Stage2Request
STATS = "stats.json"
LOCK = ".lock"
_KEPT = 8  # entries; one of the true public sources is about 150 MB
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TOKENIZER = ("*.json", "*.jinja", "*.model", "*.txt")
# Whose code decides what becomes of a row or a finding.
_CODE = ("datasets", "findings", "grammars.py")
# Packages whose version may change a count of tokens, a pattern or a syntax tree.
_PACKAGES = re.compile(r"(detect[-_]secrets|tokenizers|transformers|jinja2|tree[-_]sitter.*)", re.IGNORECASE)


def reuse_or_build(request: _AnyRequest, build: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Take the data set out of the cache, or build it and put it there.

    Args:
        request: What is asked for; its `cache` is the cache's folder, None for none.
        build: Fills `request.out` and returns its statistics.

    Returns:
        dataset_stats, with `cache`: whether it was a hit, and the key (None where nothing can be cached).
    """
    key = None if request.cache is None else key_of(request)
    if request.cache is None or key is None:
        return {**build(), "cache": {"hit": False, "key": key}}
    entry = request.cache / key
    stats = _take_out(entry, request.out)
    if stats is not None:
        return {**stats, "cache": {"hit": True, "key": key}}
    stats = build()
    _keep_if_missing(entry, request.out, stats)
    return {**stats, "cache": {"hit": False, "key": key}}


def key_of(request: _AnyRequest) -> str | None:
    """SHA-256 over all that decides the bytes; None where a source on the Hub is not pinned to a commit."""
    values: dict[str, Any] = {"stage": type(request).__name__, "code": code_version()}
    for name in request.__struct_fields__:
        own = getattr(request, name)
        if name in ("out", "cache"):
            continue
        if name == "tokenizer":
            values[name] = files.sha256_files(own, {path for each in _TOKENIZER for path in own.glob(each)})
        elif name == "replay_from":
            parts = [own.with_name(f"{part}.jsonl") for part in ("valid", "test")]  # they are read as well
            values[name] = [_content(path) for path in (own, *parts)]
        elif name == "sources":
            values[name] = [_identity(source) for source in own]
        else:
            values[name] = _content(own) if isinstance(own, Path) else own
    return None if None in values.get("sources", ()) else files.sha256_json(values)


def _identity(source: Source) -> Any:
    path = local_path(source.location)
    if path is not None:
        # The name stands in the statistics; the content decides the rest.
        found = [files.sha256_file(file) for file in data_files(path)] if path.exists() else []
        return [source.name, path.name, source.revision, source.max_rows, found]
    if not _COMMIT.fullmatch(source.revision or ""):
        return None
    return [source.name, source.location, source.revision, source.max_rows]


def _content(path: Path) -> str | None:
    if path.is_dir():
        return files.sha256_files(path, files.files_below(path))
    return files.sha256_file(path) if path.is_file() else None


def code_version(root: Path = Path(__file__).parents[1]) -> str:
    """SHA-256 over our own source files and the versions of the packages that have a say.

    Args:
        root: The folder of the package `jobs`.
    """
    places = [root / name for name in _CODE]
    listed = [file for place in places for file in ([place] if place.is_file() else files.files_below(place))]
    sources = [file for file in listed if file.suffix != ".pyc"]
    packages = sorted(
        f"{each.name.lower()}=={each.version}"
        for each in metadata.distributions()
        if each.name and _PACKAGES.fullmatch(each.name)
    )
    return files.sha256_json([files.sha256_files(root, sources), packages])


def _take_out(entry: Path, out: Path) -> dict[str, Any] | None:
    """Copy an entry to `out` and return its statistics; None where there is none, or a spoilt one."""
    try:
        kept = files.read_json(entry / STATS)
        hashes: dict[str, str] = kept["files"]
        with scratch_beside(out) as scratch:
            parts = files.private_folder(scratch / "parts")
            for name, wanted in hashes.items():
                shutil.copyfile(entry / name, parts / name)
                if files.sha256_file(parts / name) != wanted:
                    raise ValueError(f"{name} is not what it was")
            files.replace_folder(parts, out)
        os.utime(entry)  # the least recently used go first
        stats: dict[str, Any] = kept["stats"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        shutil.rmtree(entry, ignore_errors=True)  # mostly there is none
        return None
    return stats


def _keep_if_missing(entry: Path, out: Path, stats: dict[str, Any]) -> None:
    files.private_folder(entry.parent)
    try:
        with files.FileLock(entry.parent / LOCK):
            for left in files.temporaries(entry.parent):  # a build was killed here; they can be 150 MB each
                shutil.rmtree(left)
            if not (entry / STATS).is_file():  # unless another build of the same was quicker
                _write_entry(entry, out, stats)
            _prune(entry.parent)
    except files.LockBusy:  # another build keeps its own just now: this one is built again when it is needed
        return


def _write_entry(entry: Path, out: Path, stats: dict[str, Any]) -> None:
    staging = files.private_folder(files.temporary_beside(entry))
    try:
        hashes = {}
        for path in files.files_below(out):
            shutil.copyfile(path, staging / path.name)
            hashes[path.name] = files.sha256_file(staging / path.name)
        files.write_json(staging / STATS, {"files": hashes, "stats": stats})
        staging.rename(entry)
    except OSError:
        shutil.rmtree(staging)
        raise


def _prune(cache: Path) -> None:
    entries = [path for path in cache.iterdir() if not path.name.startswith(".")]
    for old in sorted(entries, key=lambda path: path.stat().st_mtime_ns)[:-_KEPT]:
        shutil.rmtree(old)
