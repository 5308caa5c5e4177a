"""Rows of a public source: a Hub id or local parquet through `datasets` in streaming mode, or JSON lines.

JSON lines are parsed one by one: the JSON reader of `datasets` takes the columns' types from the first 10 MB,
and fails on a column that is null there and text later (measured with datasets 5.2).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from jobs.datasets.examples.drop_reasons import Drops
from jobs.datasets.public.source import Source
from jobs.errors import NetworkError, OperatorError

_PARQUET = (".parquet",)
_LINES = (".jsonl", ".ndjson", ".json")
SPLIT = "train"
_BATCH = 16  # rows decoded at a time; a row of CVEfixes is 400 KB on average and 55 MB at most
_BUFFER = 1 << 20
_RELEASE_EVERY = 100


def rows(source: Source, cache: Path, drops: Drops, columns: frozenset[str]) -> Iterator[dict[str, Any]]:
    """Yield a source's rows one by one; memory does not grow with the source.

    Args:
        source: Where to read, and how many rows at most.
        cache: A folder that `datasets` may write its own files to.
        drops: Counts lines that are no JSON objects.
        columns: Those of them that are there are loaded and no others.

    Raises:
        OperatorError: The location does not exist, holds no data, or cannot be read.
        NetworkError: The Hub cannot be reached.
    """
    path = local_path(source.location)
    stream = _hub_rows(source, cache, columns) if path is None else _local_rows(source, path, cache, columns)
    for row in islice(stream, source.max_rows):
        if isinstance(row, dict):
            yield {name: value for name, value in row.items() if name in columns}
        else:
            drops.add("malformed_row")


def setting_of(source: Source) -> str:
    """The setting that names this source's location, for messages."""
    return f"datasets.sources.{source.name}.source"


def local_path(location: str) -> Path | None:
    """The local folder or file that a location means; None where it can only be a Hub id.

    A Hub id has exactly one slash; whatever is there on the disk goes first.
    """
    path = Path(location).expanduser()
    is_hub_id = location.count("/") == 1 and not location.startswith(("/", "~", "."))
    if path.exists() or not is_hub_id or path.suffix in (*_PARQUET, *_LINES):
        return path
    return None


def data_files(path: Path) -> list[Path]:
    """The parquet or else the JSON-lines files of a folder, those of the train split where they are named so.

    Args:
        path: A folder (its `data` folder is looked into as well) or one file.
    """
    if path.is_file():
        return [path]
    for suffixes in (_PARQUET, _LINES):
        found = sorted(file for file in (*path.glob("*"), *path.glob("data/*")) if file.suffix in suffixes)
        train = [file for file in found if file.name.startswith(SPLIT)]
        if found:
            return train or found
    return []


def _local_rows(source: Source, path: Path, cache: Path, columns: frozenset[str]) -> Iterator[Any]:
    remedy = f"Set `{setting_of(source)}` to a folder or file of parquet or JSON lines, or to a Hub id."
    if not path.exists():
        raise OperatorError(f"The data of {source.name} is not there: {path} does not exist.", remedy)
    files = data_files(path)
    if not files or files[0].suffix not in (*_PARQUET, *_LINES):
        raise OperatorError(f"{path} holds no parquet and no JSON-lines file of {source.name}.", remedy)
    for file in files:  # each by itself: a column that is null throughout one shard has another type there
        try:
            if file.suffix in _PARQUET:
                yield from _parquet_rows("parquet", cache, columns, data_files={SPLIT: [str(file)]})
            else:
                yield from _line_rows(file)
        except Exception as error:  # whatever the readers raise: only the file's owner can mend it
            raise OperatorError(f"Reading {file} for {source.name} failed: {error!r}.", remedy) from error


def _line_rows(file: Path) -> Iterator[Any]:
    with file.open("rb") as stream:
        for line in stream:
            if line.strip():
                yield _parse_line(line)


def _parse_line(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _hub_rows(source: Source, cache: Path, columns: frozenset[str]) -> Iterator[Any]:
    where = f"the Hub dataset {source.location} at {source.revision or 'its newest revision'}"
    remedy = (
        f"Without network, set `{setting_of(source)}` to a local folder or file of parquet or JSON lines."
    )
    try:
        yield from _parquet_rows(source.location, cache, columns, revision=source.revision)
    except Exception as error:  # datasets, httpx and the Hub's client each have their own
        message = f"Reading {where} for {source.name} failed: {error!r}."
        if _is_settled(error):
            raise OperatorError(
                message, f"Check `{setting_of(source)}` and its revision. {remedy}"
            ) from error
        raise NetworkError(message, remedy) from error


def _is_settled(error: Exception) -> bool:
    """Whether trying again cannot help: the Hub answered no, or the network is switched off on purpose."""
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.constants import is_offline_mode

    return is_offline_mode() or isinstance(error, (DatasetNotFoundError, ValueError))


def _parquet_rows(path: str, cache: Path, columns: frozenset[str], **options: Any) -> Iterator[Any]:
    """Rows through `datasets`; of parquet only the columns that are read, and few rows at a time."""
    stream = _stream(path, cache, **options)
    if stream.info.builder_name == "parquet":
        wanted = [name for name in stream.column_names or () if name in columns]
        # Without a single known column the plain stream tells the reader what is there instead.
        if wanted:
            stream = _stream(path, cache, columns=wanted, **_thrifty(), **options)
    yield from _release_memory(stream)


def _release_memory(stream: Iterable[Any]) -> Iterator[Any]:
    """The stream's rows; what Arrow keeps for reuse goes back to the system now and then."""
    from pyarrow import default_memory_pool

    for number, row in enumerate(stream):
        if number % _RELEASE_EVERY == 0:  # 80 MB less after reading CVEfixes
            default_memory_pool().release_unused()
        yield row
    default_memory_pool().release_unused()


def _thrifty() -> dict[str, Any]:
    from pyarrow.dataset import ParquetFragmentScanOptions

    # By default a whole row group (1,000 rows) is fetched and decoded at once: hundreds of MB in CVEfixes.
    scan = ParquetFragmentScanOptions(use_buffered_stream=True, buffer_size=_BUFFER, pre_buffer=False)
    return {"batch_size": _BATCH, "fragment_scan_options": scan}


def _stream(path: str, cache: Path, **options: Any) -> Any:
    from datasets import load_dataset

    return load_dataset(path, split=SPLIT, streaming=True, cache_dir=str(cache), **options)
