"""One public source as a build is asked for it: its name, and where its rows lie."""

from __future__ import annotations

from pathlib import Path

import msgspec

from config.settings import Datasets
from jobs.datasets.public import sources


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One public source.

    Args:
        name: Its file in `jobs/datasets/public/sources/`.
        location: A Hub id ("owner/name"), or a local folder or file of parquet or JSON lines.
        revision: The Hub commit to pin; ignored for local data. None takes the newest.
        max_rows: Read at most this many rows; None reads all.

    Raises:
        OperatorError: The name is none that we can read.
    """

    name: str
    location: str
    revision: str | None = None
    max_rows: int | None = None

    def __post_init__(self) -> None:
        """Refuse a name that no file has."""
        sources.check_name(self.name)


def sources_of(settings: Datasets) -> tuple[Source, ...]:
    """The sources that the settings use, in their order.

    Raises:
        OperatorError: The settings name a source that has no file.
    """
    return tuple(
        Source(name, _expand_home(entry.source), entry.revision, entry.max_rows)
        for name, entry in settings.sources.items()
        if entry.source is not None
    )


def _expand_home(location: str) -> str:
    return str(Path(location).expanduser()) if location.startswith("~") else location
