"""What can be asked of the dataset builders: one frozen request per stage, as JSON and back.

This module imports nothing heavy, so that the daemon may write a request which the child then reads.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from config.settings import Datasets
from jobs.datasets.public import sources


@dataclass(frozen=True, slots=True)
class Source:
    """One public source.

    Args:
        name: Its file in `jobs/datasets/public/sources/`.
        location: A Hub id ("owner/name"), or a local folder or file of parquet or JSON lines.
        revision: The Hub commit to pin; ignored for local data. None takes the newest.
        max_rows: Read at most this many rows; None reads all.
    """

    name: str
    location: str
    revision: str | None = None
    max_rows: int | None = None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Source:
        """Rebuild a source from `to_json`'s output.

        Raises:
            OperatorError: The name is none that we can read.
        """
        return cls(
            sources.checked(value["name"]),
            str(value["location"]),
            value.get("revision"),
            value.get("max_rows"),
        )

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return {
            "name": self.name,
            "location": self.location,
            "revision": self.revision,
            "max_rows": self.max_rows,
        }


def sources_of(settings: Datasets) -> tuple[Source, ...]:
    """The sources that the settings use, in their order.

    Raises:
        OperatorError: The settings name a source that has no file.
    """
    return tuple(
        Source(sources.checked(name), _expanded(one.source), one.revision, one.max_rows)
        for name, one in settings.sources.items()
        if one.source is not None
    )


def _expanded(location: str) -> str:
    return str(Path(location).expanduser()) if location.startswith("~") else location


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What both stages' training data depend on.

    Args:
        out: The folder to fill with train.jsonl, valid.jsonl and test.jsonl; replaced as a whole.
        tokenizer: The folder of the tokenizer that training will use.
        max_seq_length: Tokens that prompt and whole answer must fit, chat template included.
        seed: The only source of chance.
        valid_fraction: Share of the examples for validation, 0 to below 1.
        test_fraction: Share of the examples for the test, 0 to below 1.
        quality_weight_multiplier: How often an example of high quality stands in train.jsonl, 1 or more.
        augmentation: Copies in other words of each training example, at most.
        cache: The folder of finished data sets; None builds without one.
    """

    out: Path
    tokenizer: Path
    max_seq_length: int
    seed: int
    valid_fraction: float
    test_fraction: float
    quality_weight_multiplier: float
    augmentation: int = 0
    cache: Path | None = None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Rebuild a request from `to_json`'s output."""
        return cls(**{name: _read(name, one) for name, one in value.items()})

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage1Request(_Request):
    """Everything that decides the bytes of stage 1's training data.

    Args:
        context_lines: Unchanged lines kept around a change, where they fit.
        sources: The public sources, in the order that duplicates are decided by.
    """

    context_lines: int
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage2Request(_Request):
    """Everything that decides the bytes of stage 2's training data.

    Args:
        findings: A findings.jsonl with one `Finding.to_json` a line.
        replay_from: Stage 1's train.jsonl.
        replay_ratio: Replayed examples for each of stage 2's own training rows (0.15 = 15 %).
        domain: What the findings are about; names the source ("webauthn" -> "webauthn_security_tools").
        include_advice: Whether findings with advice alone give examples of low quality.
    """

    findings: Path
    replay_from: Path
    replay_ratio: float
    domain: str
    include_advice: bool = False


_PATHS = frozenset({"out", "tokenizer", "cache", "findings", "replay_from"})


def _read(name: str, value: Any) -> Any:
    if name in _PATHS and value is not None:
        return Path(value)
    return tuple(Source.from_json(each) for each in value) if name == "sources" else value


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    return [each.to_json() for each in value] if isinstance(value, tuple) else value
