"""The pool: every distinct example of a build on disk, and of each only what splitting and counting need."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jobs.datasets.examples.example import Example, answer_core, code_digest, prompt_code
from jobs.datasets.examples.finalize import Finalizer
from jobs.datasets.pool.grouping import Grouping
from jobs.datasets.pool.near_duplicates import NearIndex, sketch
from jobs.datasets.pool.offset_file import OffsetFile
from jobs.datasets.pool.scratch_db import NumberTable


def text_digest(text: str) -> str:
    """SHA-256 of a text, 16 hex digits: enough for 10^7 texts without a chance collision."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def text_number(text: str) -> int:
    """A text's 64-bit digest, for sets and tables in memory: 32 bytes where the hex digits take 65."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


class ExamplePool:
    """Takes examples in, refuses copies, and finds out which must stay together.

    Of each example 15 bytes stay in memory, however long it is; all else is on disk. Examples have numbers
    from 0 on, in the order of taking in.

    Args:
        folder: A scratch folder for its files.
        finalizer: Redacts every example: this is the only way into what is written.
        near_across_strata: Whether a near-duplicate from another stratum is refused; it is grouped otherwise.
        elsewhere: Why an example may not be taken for what another data set holds; None where it may.
    """

    def __init__(
        self,
        folder: Path,
        finalizer: Finalizer,
        *,
        near_across_strata: bool,
        elsewhere: Callable[[Example], str | None] = lambda _example: None,
    ) -> None:
        self._finalizer = finalizer
        self._near_across_strata = near_across_strata
        self._elsewhere = elsewhere
        self._file = OffsetFile(folder / "examples.jsonl")
        self._grouping = Grouping(folder / "keys")
        self._answers = NumberTable(folder / "answers.db")
        self._near = NearIndex(folder / "near.db")
        self._offsets = array("Q")
        self._high = bytearray()
        self._strata = array("H")
        self._stratum_codes: dict[str, int] = {}
        self._lengths: Counter[int] = Counter()

    def __len__(self) -> int:
        return len(self._offsets)

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
        finished = self._finalizer.finalize(example, tokens)
        if isinstance(finished, str):
            return finished
        example, tokens = finished
        asked = text_number(question)
        replied = text_number(reply or code_digest(answer_core(example.answer)))
        refused = self._elsewhere(example) or self._find_copy(asked, replied)
        if refused is not None:
            return refused
        refused = self._store(example, tokens, stratum)
        if refused is None:
            self._answers.put(asked, replied)
        return refused

    def _find_copy(self, asked: int, replied: int) -> str | None:
        known = self._answers.get(asked)
        if known is None:
            return None
        return "duplicate" if known == replied else "another_fix_for_the_same_code"

    def _store(self, example: Example, tokens: int, stratum: str) -> str | None:
        before, after = prompt_code(example.prompt), code_digest(answer_core(example.answer))
        code, drawn = self._stratum_codes.setdefault(stratum, len(self._stratum_codes)), sketch(before)
        near = [] if drawn is None else self._near.matches(drawn)
        if self._near_across_strata and any(self._strata[other] != code for other in near):
            return "near_duplicate"
        keys = [*example.groups, f"before:{code_digest(before)}", f"after:{after}"]
        number = self._grouping.add(map(text_number, keys), near)
        if drawn is not None:
            self._near.add(number, drawn)
        self._offsets.append(self._file.append(example.to_json()))
        self._strata.append(code)
        self._high.append(example.metadata["quality"] == "high")
        self._lengths[tokens] += 1
        return None

    def seal(self) -> None:
        """No more examples come: forget what only telling copies apart needs."""
        self._near.close()
        self._answers.close()

    def read(self, number: int) -> dict[str, Any]:
        """The example with this number, as its JSON value."""
        value: dict[str, Any] = self._file.read(self._offsets[number])
        return value

    def is_high(self, number: int) -> bool:
        """Whether the example's quality is high."""
        return bool(self._high[number])

    def roots(self) -> array[int]:
        """Of each example the first of those that must stay together with it."""
        return self._grouping.roots()

    @property
    def strata(self) -> list[str]:
        """Of each example the stratum."""
        names = list(self._stratum_codes)
        return [names[code] for code in self._strata]

    @property
    def lengths(self) -> Counter[int]:
        """How many examples have each length in tokens."""
        return self._lengths

    def close(self) -> None:
        """Let go of all files."""
        self.seal()
        self._grouping.close()
        self._file.close()
