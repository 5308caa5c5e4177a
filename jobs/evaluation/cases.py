"""What a model is asked and what it answered: one case of a test part, one answer to it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.errors import OperatorError
from jobs.fs.files import read_jsonl, sha256_json

# An id is also a file's name.
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
ID_DIGITS = 16


@dataclass(frozen=True, slots=True)
class EvaluationCase:
    """One test example: the turns before the answer, the answer expected, and what is known about it."""

    id: str
    prompt_messages: Sequence[Mapping[str, str]]
    reference: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse an id that could not safely name a file."""
        if not _SAFE_ID.fullmatch(self.id):
            raise ValueError(f"A case's id cannot be {self.id!r}: it names a file.")

    @property
    def question(self) -> str:
        """The last user's turn; empty if there is none."""
        turns = [turn["content"] for turn in self.prompt_messages if turn["role"] == "user"]
        return turns[-1] if turns else ""


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """One model's answer to a case.

    `tokens` counts what the model generated. `truncated`: the limit ended it. `finished`: the model ended
    it with a stop token; None where the one who generated it did not say.
    """

    text: str
    tokens: int | None = None
    truncated: bool = False
    finished: bool | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """Which part of a test part was asked: `cases` of `all_cases`, drawn at random with `seed`."""

    cases: int
    all_cases: int
    seed: int


def load_cases(path: Path) -> list[EvaluationCase]:
    """The cases of a test part (`test.jsonl`), in its order; case n is the file's row n, from 0.

    An id is the first 16 hex digits of the SHA-256 of the row's messages, so it survives a new order of
    the rows. Rows with the same messages are the same case, listed twice.

    Raises:
        OperatorError: A row is no example: the file was damaged after it was built.
    """
    cases = []
    try:
        for row in read_jsonl(path):
            cases.append(_case(row))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise OperatorError(
            f"{path}, row {len(cases)} (from 0), is not an example: {error!r}.", "Build the data set again."
        ) from error
    return cases


def _case(row: Mapping[str, Any]) -> EvaluationCase:
    messages = row["messages"]
    *prompt, answer = [{"role": str(turn["role"]), "content": _text(turn["content"])} for turn in messages]
    if answer["role"] != "assistant" or not prompt:
        raise ValueError("the last of at least two turns must be the assistant's")
    return EvaluationCase(
        sha256_json(messages)[:ID_DIGITS], prompt, answer["content"], dict(row.get("metadata") or {})
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a turn's content is {type(value).__name__}, not text")
    return value
