"""Finalizing: what every example goes through last, in both stages: redaction, and its length again."""

from __future__ import annotations

import re

from jobs.datasets.examples.example import Example
from jobs.datasets.examples.redaction import MARK, Redactor
from jobs.datasets.examples.tokens import TokenCounter

_PLACEHOLDER = re.compile(rf"{MARK}\w+")


class Finalizer:
    """Redacts an example; one that held a secret is measured again, since a placeholder has its own length.

    Args:
        counter: Counts with the training tokenizer.
        max_seq_length: Tokens that prompt and whole answer must fit.
    """

    def __init__(self, counter: TokenCounter, max_seq_length: int) -> None:
        self.redactor = Redactor()
        self._counter = counter
        self._limit = max_seq_length

    def finalize(self, example: Example, tokens: int) -> tuple[Example, int] | str:
        """The example as it may be written and its length in tokens, or the reason why it may not."""
        clean = self.redactor.clean(example)
        if clean is example:
            return example, tokens
        asked = set(_PLACEHOLDER.findall(clean.prompt))
        if not asked.issuperset(_PLACEHOLDER.findall(clean.answer)):
            return "secret_only_in_answer"
        tokens = self.length_if_fitting(clean) or 0
        return (clean, tokens) if tokens else "too_long"

    def length_if_fitting(self, example: Example) -> int | None:
        """The example's length in tokens; None where it does not fit."""
        tokens = self._counter.total(example.messages)
        return tokens if tokens <= self._limit else None
