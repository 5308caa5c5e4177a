"""What a run is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pydantic is 12 MB; see jobs/runs/store.py
    from jobs.runs.manifest import Input


@dataclass(frozen=True)
class Delivery:
    """The reports that arrived together."""

    id: str
    inputs: tuple[Input, ...]
    priority: int = 0
