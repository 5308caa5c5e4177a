"""The pool: every distinct example of a build on disk, and of each only what splitting and counting need."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from jobs.datasets.example import Example, Quality, code_digest, fenced_code, prompt_code
from jobs.datasets.near import NearIndex, sketch
from jobs.datasets.spool import Spool


@dataclass(frozen=True, slots=True)
class Slip:
    """What is kept in memory of one example: about 1 KB, however long the example is."""

    offset: int
    stratum: str
    keys: tuple[str, ...]
    quality: Quality
    tokens: int


def text_digest(text: str) -> str:
    """SHA-256 of a text, 16 hex digits: enough for 10^7 texts without a chance collision."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


class ExamplePool:
    """Takes examples in, refuses copies, and finds out which must stay together.

    Args:
        spool: Where the examples are kept.
        near_across_strata: Whether a near-duplicate from another stratum is refused; it is grouped otherwise.
    """

    def __init__(self, spool: Spool, *, near_across_strata: bool) -> None:
        self.slips: list[Slip] = []
        self._spool = spool
        self._near_across_strata = near_across_strata
        self._answers: dict[str, str] = {}
        self._near = NearIndex()

    def add(self, example: Example, tokens: int, stratum: str, question: str) -> str | None:
        """Take an example in.

        Args:
            example: It must have passed the gate.
            tokens: Its whole length in tokens.
            stratum: What splitting keeps the proportions of.
            question: A digest of what is asked; two examples with one question and one answer are copies.

        Returns:
            None, or the reason why it was refused.
        """
        before, after = prompt_code(example.prompt), fenced_code(example.answer)
        known = self._answers.get(question)
        if known is not None:
            return "duplicate" if known == code_digest(after) else "another_fix_for_the_same_code"
        number, drawn = len(self.slips), sketch(before)
        near = [] if drawn is None else self._near.matches(drawn)
        if self._near_across_strata and any(self.slips[other].stratum != stratum for other in near):
            return "near_duplicate"
        self._answers[question] = code_digest(after)
        if drawn is not None:
            self._near.add(number, drawn)
        keys = [
            *example.groups,
            f"before:{code_digest(before)}",
            f"after:{code_digest(after)}",
            f"near:{number}",
        ]
        keys += [f"near:{other}" for other in near]
        offset = self._spool.append(example.to_json())
        self.slips.append(Slip(offset, stratum, tuple(keys), example.metadata["quality"], tokens))
        return None

    def read(self, number: int) -> dict[str, Any]:
        """The example with this number in `slips`, as its JSON value."""
        value: dict[str, Any] = self._spool.read(self.slips[number].offset)
        return value
