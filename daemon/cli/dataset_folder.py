"""A built data set in its folder, as the commands about it look for it and read it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.cli.context import CliContext
from jobs.errors import NotFoundError
from jobs.fs import files

PARTS = ("train", "valid", "test")
Target = Annotated[str, typer.Argument(metavar="RUN|FOLDER", help="A run, or a folder of training data.")]
StageOption = Annotated[int | None, typer.Option(min=1, max=2, help="Which stage of a run.")]


@dataclass(frozen=True)
class BuiltDataset:
    """A built data set, and what its build said about it (None where nobody kept that)."""

    folder: Path
    stats: dict[str, Any] | None


def stats_beside(folder: Path) -> Path:
    """Where `build` keeps the statistics: beside the folder, which holds JSON lines only."""
    return folder.with_name(f"{folder.name}-stats.json")


def find_dataset(cli: CliContext, target: str, stage: int | None) -> BuiltDataset:
    """The data set that a folder or a run's id means; of a run, stage 2's where it is there.

    Raises:
        NotFoundError: There is none.
    """
    path = Path(target).expanduser()
    if path.is_dir():
        folder = next(
            (each for each in (path, path / "training-data") if (each / "train.jsonl").is_file()), None
        )
        if folder is None:
            raise NotFoundError(f"There is no train.jsonl in {path}.")
        beside = stats_beside(folder.absolute())
        return BuiltDataset(folder, files.read_json(beside) if beside.is_file() else None)
    run = cli.store.open(target)
    for number in (2, 1) if stage is None else (stage,):
        folder = run.folder.stage(number).training_data
        if (folder / "train.jsonl").is_file():
            return BuiltDataset(folder, run.manifest.stage(number).dataset_stats or None)
    raise NotFoundError(f"Run {run.run_id} has no training data{f' of stage {stage}' if stage else ''} yet.")


def rows_of(folder: Path, parts: tuple[str, ...]) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Each example of some parts with its part and its line, counted from 1."""
    for part in parts:
        path = folder / f"{part}.jsonl"
        for number, row in enumerate(files.read_jsonl(path) if path.is_file() else (), 1):
            yield part, number, row
