"""Near-duplicates: MinHash sketches over normalised tokens, and an index that finds sketches alike.

64 hashes in 16 bands of 4: two codes whose 5-token shingles agree by 80 % share a band with a probability of
99.98 % (1 - (1 - 0.8^4)^16), and the estimate's standard error there is 0.05.
"""

from __future__ import annotations

import random
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Sketch = np.ndarray[Any, np.dtype[np.uint32]]

HASHES = 64
_BAND = 4
_SHINGLE = 5
# Fewer tokens than this are a common idiom rather than a copy; those are compared exactly.
_FEWEST_TOKENS = 20
ALIKE = 0.8

_TOKEN = re.compile(r"\w+|[^\w\s]")


def sketch(code: str) -> Sketch | None:
    """A sketch of code without regard to case, white space and numbers; None for code too short."""
    import numpy as np

    tokens = ["0" if token[0].isdigit() else token.lower() for token in _TOKEN.findall(code)]
    if len(tokens) < _FEWEST_TOKENS:
        return None
    shingles = {"\0".join(tokens[start : start + _SHINGLE]) for start in range(len(tokens) - _SHINGLE + 1)}
    hashes = np.fromiter((zlib.crc32(text.encode("utf-8", "replace")) for text in shingles), dtype=np.uint64)
    factors, shifts = _permutations()
    # Multiply-shift: the product's upper half is a universal hash; uint64 wraps, which is what is wanted.
    mixed: Sketch = ((hashes[:, None] * factors + shifts) >> np.uint64(32)).min(axis=0).astype(np.uint32)
    return mixed


@cache
def _permutations() -> tuple[Any, Any]:
    import numpy as np

    chance = random.Random("sectune near-duplicates")
    factors = [chance.getrandbits(64) | 1 for _ in range(HASHES)]
    shifts = [chance.getrandbits(64) for _ in range(HASHES)]
    return np.array(factors, dtype=np.uint64), np.array(shifts, dtype=np.uint64)


def likeness(one: Sketch, other: Sketch) -> float:
    """The estimated share of shingles that two codes have in common, 0.0 to 1.0."""
    return float((one == other).mean())


class NearIndex:
    """Finds what was added before and is alike.

    Every pair of sketches that share a band is compared, so that being alike does not depend on the order of
    adding: what grouping did not see, a later check would not see either, and the other way round.
    """

    def __init__(self) -> None:
        self._buckets: defaultdict[tuple[int, bytes], list[int]] = defaultdict(list)
        self._rows: Any = None  # uint32, (room, HASHES); room doubles
        self._numbers: list[int] = []
        self._first: dict[bytes, int] = {}

    def matches(self, one: Sketch) -> list[int]:
        """The numbers of the sketches that are alike, ascending; of equal ones the first stands for all."""
        rows = sorted({row for bucket in _bands(one) for row in self._buckets.get(bucket, ())})
        if not rows:
            return []
        alike = (self._rows[rows] == one).mean(axis=1) >= ALIKE
        return sorted(self._numbers[row] for row, is_alike in zip(rows, alike, strict=True) if is_alike)

    def add(self, number: int, one: Sketch) -> None:
        """Remember a sketch under its owner's number."""
        row = len(self._numbers)
        if self._first.setdefault(one.tobytes(), row) != row:
            return
        self._make_room(row)
        self._rows[row] = one
        self._numbers.append(number)
        for bucket in _bands(one):
            self._buckets[bucket].append(row)

    def _make_room(self, row: int) -> None:
        import numpy as np

        if self._rows is None:
            self._rows = np.zeros((256, HASHES), dtype=np.uint32)
        elif row == len(self._rows):
            self._rows = np.concatenate([self._rows, np.zeros_like(self._rows)])


def _bands(one: Sketch) -> Iterator[tuple[int, bytes]]:
    for start in range(0, HASHES, _BAND):
        yield start, one[start : start + _BAND].tobytes()
