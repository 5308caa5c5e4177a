"""BLEU-4 of one answer against its reference, over the words and signs of code.

Papineni et al. 2002, for a single sentence: the n-gram precisions above 1 have 1 added to both counts (Lin
and Och 2004), or one missing 4-gram would make every short answer 0.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

ORDERS = range(1, 5)


def bleu4(answer: Sequence[str], reference: Sequence[str]) -> float:
    """0 to 1; 1 where both are the same, 0 where they share no token or one of them is empty."""
    if list(answer) == list(reference):
        return 1.0
    if not set(answer) & set(reference):
        return 0.0
    logarithms = [math.log(_precision(answer, reference, order)) for order in ORDERS]
    shortness = min(0.0, 1.0 - len(reference) / len(answer))
    return math.exp(shortness + math.fsum(logarithms) / len(ORDERS))


def _precision(answer: Sequence[str], reference: Sequence[str], order: int) -> float:
    ours, theirs = _ngrams(answer, order), _ngrams(reference, order)
    found, smoothing = (ours & theirs).total(), order > 1
    return (found + smoothing) / (ours.total() + smoothing)


def _ngrams(tokens: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(tokens[start:] for start in range(order)), strict=False))
