"""Quality weighting: how many rows of train.jsonl each example gets; fractions are honoured."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence


def row_counts(is_high: Sequence[bool | int], multiplier: float, seed: int) -> array[int]:
    """The rows that each example gets.

    Args:
        is_high: For each example whether its quality is high; the others get one row.
        multiplier: Rows for an example of high quality on average, 1 or more: 2.5 is two rows for each and a
            third for a seeded half of them. The sum is the nearest whole number, so exact to one row.
        seed: The only source of chance.

    Raises:
        ValueError: The multiplier is below 1 (examples would be lost).
    """
    if multiplier < 1:
        raise ValueError(f"The quality weight multiplier is {multiplier}; below 1 it would drop examples.")
    high = array("I", (position for position, flag in enumerate(is_high) if flag))
    whole = int(multiplier)
    extra = round(len(high) * multiplier) - len(high) * whole
    counts = array("I", (whole if flag else 1 for flag in is_high))
    for position in random.Random(f"{seed}:weighting").sample(high, extra):
        counts[position] += 1
    return counts
