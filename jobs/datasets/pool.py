"""The pool: every distinct example of a build on disk, and of each only what splitting and counting need."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jobs.datasets.example import Example, Quality, answer_core, code_digest, prompt_code
from jobs.datasets.finish import Finish
from jobs.datasets.near import NearIndex, sketch
from jobs.datasets.spool import Spool


@dataclass(frozen=True, slots=True)
class Slip:
    """What is kept in memory of one example: about 300 bytes, however long the example is."""

    offset: int
    stratum: str
    packed_keys: bytes
    quality: Quality
    tokens: int

    @property
    def keys(self) -> array[int]:
        """The keys that hold this example together with others, as 64-bit numbers."""
        return array("Q", self.packed_keys)


def text_digest(text: str) -> str:
    """SHA-256 of a text, 16 hex digits: enough for 10^7 texts without a chance collision."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def text_number(text: str) -> int:
    """A text's 64-bit digest, for sets and tables in memory: 32 bytes where the hex digits take 65."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


class ExamplePool:
    """Takes examples in, refuses copies, and finds out which must stay together.

    Args:
        spool: Where the examples are kept.
        finish: Redacts every example: this is the only way into what is written.
        near_across_strata: Whether a near-duplicate from another stratum is refused; it is grouped otherwise.
        elsewhere: Why an example may not be taken for what another data set holds; None where it may.
    """

    def __init__(
        self,
        spool: Spool,
        finish: Finish,
        *,
        near_across_strata: bool,
        elsewhere: Callable[[Example], str | None] = lambda _example: None,
    ) -> None:
        self.slips: list[Slip] = []
        self._spool = spool
        self._finish = finish
        self._near_across_strata = near_across_strata
        self._elsewhere = elsewhere
        self._answers: dict[int, int] = {}
        self._near = NearIndex()

    def add(
        self, example: Example, tokens: int, stratum: str, question: str, reply: str | None = None
    ) -> str | None:
        """Take an example in.

        Args:
            example: It must have passed the gate.
            tokens: Its whole length in tokens.
            stratum: What splitting keeps the proportions of.
            question: A digest of what is asked; two examples with one question and one reply are copies.
            reply: A digest of what is answered, where the whole answer says more than that.

        Returns:
            None, or the reason why it was refused.
        """
        finished = self._finish.finished(example, tokens)
        if isinstance(finished, str):
            return finished
        example, tokens = finished
        asked = text_number(question)
        replied = text_number(reply or code_digest(answer_core(example.answer)))
        refused = self._elsewhere(example) or self._copied(asked, replied)
        if refused is not None:
            return refused
        refused = self._taken(example, tokens, stratum)
        if refused is None:
            self._answers[asked] = replied
        return refused

    def _copied(self, asked: int, replied: int) -> str | None:
        known = self._answers.get(asked)
        if known is None:
            return None
        return "duplicate" if known == replied else "another_fix_for_the_same_code"

    def _taken(self, example: Example, tokens: int, stratum: str) -> str | None:
        before, after = prompt_code(example.prompt), code_digest(answer_core(example.answer))
        number, drawn = len(self.slips), sketch(before)
        near = [] if drawn is None else self._near.matches(drawn)
        if self._near_across_strata and any(self.slips[other].stratum != stratum for other in near):
            return "near_duplicate"
        if drawn is not None:
            self._near.add(number, drawn)
        keys = [*example.groups, f"before:{code_digest(before)}", f"after:{after}"]
        keys += [f"near:{other}" for other in (number, *near)]
        packed = array("Q", map(text_number, keys)).tobytes()
        offset = self._spool.append(example.to_json())
        self.slips.append(Slip(offset, stratum, packed, example.metadata["quality"], tokens))
        return None

    def close(self) -> None:
        """No more examples come: forget what only telling copies apart needs."""
        self._near = NearIndex()
        self._answers.clear()

    def read(self, number: int) -> dict[str, Any]:
        """The example with this number in `slips`, as its JSON value."""
        value: dict[str, Any] = self._spool.read(self.slips[number].offset)
        return value
