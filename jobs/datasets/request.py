"""What can be asked of the data set builders: one frozen request per stage, as JSON and back.

This module imports nothing heavy, so that the daemon may write a request which the child then reads. Both
sides check it: an unknown, missing or mistyped key is an error that names the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Settings
from jobs.children.request import Request
from jobs.datasets.public.source import Source, sources_of


class _Request(Request, frozen=True, kw_only=True, tag_field="stage"):
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


class Stage1Request(_Request, frozen=True, kw_only=True, tag=1):
    """Everything that decides the bytes of stage 1's training data.

    Args:
        context_lines: Unchanged lines kept around a change, where they fit.
        sources: The public sources, in the order that duplicates are decided by.
    """

    context_lines: int
    sources: tuple[Source, ...]


class Stage2Request(_Request, frozen=True, kw_only=True, tag=2):
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


class BuildMessage(Request, frozen=True, kw_only=True):
    """All that the data set child is told.

    Args:
        request: What to build; its key `stage` tells which of the two it is.
        inputs: SHA-256 of the files that the request names and that may change under their names, so that
            a receipt for other content is no answer.
    """

    request: Stage1Request | Stage2Request
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildFolders:
    """Where a build reads and writes.

    Args:
        out: The folder to fill.
        tokenizer: The folder of the tokenizer.
        models_dir: The models folder, which keeps finished data sets for other runs.
    """

    out: Path
    tokenizer: Path
    models_dir: Path


def stage1_request(
    settings: Settings, folders: BuildFolders, sources: tuple[Source, ...] = ()
) -> Stage1Request:
    """What the settings say about stage 1's training data.

    Args:
        settings: The run's settings.
        folders: Where to read and write.
        sources: Other public sources than those of the settings.

    Raises:
        OperatorError: The settings name a source that has no file.
    """
    return Stage1Request(
        **_shared_fields(settings, folders),
        context_lines=settings.datasets.context_lines,
        sources=sources or sources_of(settings.datasets),
    )


def stage2_request(
    settings: Settings, folders: BuildFolders, findings: Path, replay_from: Path
) -> Stage2Request:
    """What the settings say about stage 2's training data.

    Args:
        settings: The run's settings.
        folders: Where to read and write.
        findings: The delivery's findings.jsonl.
        replay_from: Stage 1's train.jsonl.
    """
    return Stage2Request(
        **_shared_fields(settings, folders),
        findings=findings,
        replay_from=replay_from,
        replay_ratio=settings.datasets.replay_ratio,
        domain=settings.datasets.domain,
        include_advice=settings.datasets.include_advice,
    )


def _shared_fields(settings: Settings, folders: BuildFolders) -> dict[str, Any]:
    return {
        "out": folders.out,
        "tokenizer": folders.tokenizer,
        "max_seq_length": settings.training.max_seq_length,
        "seed": settings.seed,
        "valid_fraction": settings.datasets.valid_fraction,
        "test_fraction": settings.datasets.test_fraction,
        "quality_weight_multiplier": settings.datasets.quality_weight_multiplier,
        "augmentation": settings.datasets.augmentation,
        "cache": folders.models_dir / "cache" / "datasets",
    }
