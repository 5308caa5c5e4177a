"""What a place that can train must offer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from config.settings import Settings


@dataclass(frozen=True)
class Training:
    """One stage's training, as the chain wants it done; the provider knows how.

    Args:
        stage: 1 or 2.
        base_model: A complete model folder.
        data: A training-data folder.
        adapters: Where the adapter goes.
        metrics: Where a line per report goes.
        start_from: The adapter file to continue from, if any, and its SHA-256.
        data_sha256: What is in `data`; a checkpoint of other data is then of other work.
    """

    stage: int
    base_model: Path
    data: Path
    adapters: Path
    metrics: Path
    start_from: tuple[Path, str] | None = None
    data_sha256: str | None = None


class Provider(Protocol):
    """A place that can train."""

    name: str
    module: str

    def translate(self, settings: Settings, training: Training) -> dict[str, Any]:
        """The request the provider's own code really gets; nothing else reaches it."""
        ...

    def mismatches(self, request: Mapping[str, Any], adapters: Path) -> list[str]:
        """Compare what was really used with what was asked for; empty if they are the same."""
        ...
