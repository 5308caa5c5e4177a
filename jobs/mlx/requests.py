"""What the evaluating, fusing and pulling children are asked for; nothing here imports mlx."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from jobs.children.request import Request

Count = Annotated[int, Meta(ge=1)]


class AnsweringModel(Request, frozen=True, kw_only=True):
    """A model that is asked.

    Args:
        label: What its answers are called.
        adapters: The adapter folder that is put on the base model; None asks the base model itself.
        sha256: Of the adapter, or of the model; other weights are then other work.
    """

    label: str
    adapters: Path | None = None
    sha256: str | None = None


class AnsweringRequest(Request, frozen=True, kw_only=True):
    """The same cases for several models.

    Args:
        model: The base model's folder.
        models: Who is asked.
        cases: A JSONL part.
        cases_sha256: Of that file.
        answers: The file to write.
        max_cases: Draw so many; None asks all.
        extra_tokens: Longest answer beyond the reference's own length.
        batch_size: Answers that are continued at the same time; fewer where memory does not suffice.
        seed: Of the draw.
    """

    model: Path
    models: tuple[AnsweringModel, ...]
    cases: Path
    cases_sha256: str
    answers: Path
    max_cases: Count | None
    extra_tokens: int
    batch_size: Count
    seed: int


class Message(Request, frozen=True, kw_only=True):
    """One turn of a conversation."""

    role: str
    content: str


class FusingRequest(Request, frozen=True, kw_only=True):
    """A base model and an adapter that become one model.

    Args:
        model: The base model's folder.
        adapters: The adapter's folder.
        adapter_sha256: Of its file.
        target: The final folder.
        dequantize: Whether the result is written in 16 bits.
        probe: What both are asked, to see that they agree.
    """

    model: Path
    adapters: Path
    adapter_sha256: str
    target: Path
    dequantize: bool
    probe: tuple[Message, ...]


class PullingRequest(Request, frozen=True, kw_only=True):
    """A base model that is to be fetched and converted.

    Args:
        source: Hub id or folder.
        revision: Of the Hub; None means the newest.
        target: The final folder.
        bits: Per weight; None is not quantised.
        group_size: Weights that share one scale.
    """

    source: str
    revision: str | None
    target: Path
    bits: int | None
    group_size: int
