"""What can be asked of the dataset builders: one frozen request per stage, as JSON and back.

This module imports nothing heavy, so that the daemon may write a request which the child then reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Datasets
from jobs.datasets import sources


@dataclass(frozen=True, slots=True)
class Source:
    """One public source.

    Args:
        name: Its file in `jobs/datasets/sources/`.
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


def _paths(value: dict[str, Any], *names: str) -> dict[str, Path | None]:
    return {name: None if value.get(name) is None else Path(value[name]) for name in names}


@dataclass(frozen=True, slots=True)
class Stage1Request:
    """Everything that decides the bytes of stage 1's training data.

    Args:
        out: The folder to fill with train.jsonl, valid.jsonl and test.jsonl; replaced as a whole.
        tokenizer: The folder of the tokenizer that training will use.
        max_seq_length: Tokens that prompt and whole answer must fit, chat template included.
        seed: The only source of chance.
        valid_fraction: Share of the examples for validation, 0 to below 1.
        test_fraction: Share of the examples for the test, 0 to below 1.
        quality_weight_multiplier: How often an example of high quality stands in train.jsonl, 1 or more.
        context_lines: Unchanged lines kept around a change, where they fit.
        sources: The public sources, in the order that duplicates are decided by.
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
    context_lines: int
    sources: tuple[Source, ...]
    augmentation: int = 0
    cache: Path | None = None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Stage1Request:
        """Rebuild a request from `to_json`'s output."""
        sources = tuple(Source.from_json(source) for source in value["sources"])
        return cls(**{**value, **_paths(value, "out", "tokenizer", "cache"), "sources": sources})

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return {
            "out": str(self.out),
            "tokenizer": str(self.tokenizer),
            "max_seq_length": self.max_seq_length,
            "seed": self.seed,
            "valid_fraction": self.valid_fraction,
            "test_fraction": self.test_fraction,
            "quality_weight_multiplier": self.quality_weight_multiplier,
            "context_lines": self.context_lines,
            "sources": [source.to_json() for source in self.sources],
            "augmentation": self.augmentation,
            "cache": None if self.cache is None else str(self.cache),
        }


@dataclass(frozen=True, slots=True)
class Stage2Request:
    """Everything that decides the bytes of stage 2's training data.

    Args:
        out: The folder to fill with train.jsonl, valid.jsonl and test.jsonl; replaced as a whole.
        tokenizer: The folder of the tokenizer that training will use.
        max_seq_length: Tokens that prompt and whole answer must fit, chat template included.
        seed: The only source of chance.
        valid_fraction: Share of the examples for validation, 0 to below 1.
        test_fraction: Share of the examples for the test, 0 to below 1.
        quality_weight_multiplier: How often an example of high quality stands in train.jsonl, 1 or more.
        findings: A findings.jsonl with one `Finding.to_json` a line.
        replay_from: Stage 1's train.jsonl.
        replay_ratio: Replayed examples for each of stage 2's own training rows (0.15 = 15 %).
        domain: What the findings are about; names the source ("webauthn" -> "webauthn_security_tools").
        include_advice: Whether findings with advice alone give examples of low quality.
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
    findings: Path
    replay_from: Path
    replay_ratio: float
    domain: str
    include_advice: bool = False
    augmentation: int = 0
    cache: Path | None = None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Stage2Request:
        """Rebuild a request from `to_json`'s output."""
        return cls(**{**value, **_paths(value, "out", "tokenizer", "cache", "findings", "replay_from")})

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return {
            "out": str(self.out),
            "tokenizer": str(self.tokenizer),
            "max_seq_length": self.max_seq_length,
            "seed": self.seed,
            "valid_fraction": self.valid_fraction,
            "test_fraction": self.test_fraction,
            "quality_weight_multiplier": self.quality_weight_multiplier,
            "findings": str(self.findings),
            "replay_from": str(self.replay_from),
            "replay_ratio": self.replay_ratio,
            "domain": self.domain,
            "include_advice": self.include_advice,
            "augmentation": self.augmentation,
            "cache": None if self.cache is None else str(self.cache),
        }
