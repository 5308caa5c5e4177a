"""Files that are being written, as anybody can see them: by their temporary names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jobs.children import protocol
from jobs.fs.files import TEMPORARY
from jobs.registry.writing import UNFINISHED

QUIET = ("reports", "model_evaluation")  # large or deep, and written before or after anything of interest
CHILDRENS = ("training-data", "adapters", "tokens")


@dataclass(frozen=True)
class Write:
    """A temporary file or folder, told apart from an earlier one of the same name by its time."""

    path: Path
    mtime_ns: int

    @property
    def writer(self) -> Literal["daemon", "child"]:
        """Who writes such a file: the steps themselves run in the daemon, their heavy part in a child."""
        parts = self.path.parts
        if "work" in parts:
            return "daemon" if protocol.REQUEST in self.path.name else "child"
        by_child = any(f"{name}" in self.path.name or name in parts for name in CHILDRENS)
        return "child" if by_child or ".metrics.jsonl" in self.path.name or "cache" in parts else "daemon"


def unfinished(deep: Sequence[Path], flat: Sequence[Path] = ()) -> Iterator[Write]:
    """Everything with a temporary name below the folders `deep`, and in the folders `flat` themselves."""
    for folder in flat:
        yield from _in(folder, below=False)
    for folder in deep:
        yield from _in(folder, below=True)


def _in(folder: Path, below: bool) -> Iterator[Write]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if TEMPORARY.match(entry.name) or entry.name.startswith(UNFINISHED):
                    yield Write(Path(entry.path), entry.stat(follow_symlinks=False).st_mtime_ns)
                elif below and entry.is_dir(follow_symlinks=False) and entry.name not in QUIET:
                    yield from _in(Path(entry.path), below)
    except FileNotFoundError:  # it was renamed or removed while we looked: that write is over
        return
