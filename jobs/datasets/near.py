"""Near-duplicates: MinHash sketches over normalised tokens, and an index that finds sketches alike.

64 hashes in 16 bands of 4: two codes whose 5-token shingles agree by 80 % share a band with a probability of
99.98 % (1 - (1 - 0.8^4)^16), and the estimate's standard error there is 0.05.
"""

from __future__ import annotations

import random
import re
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Sketch = np.ndarray[Any, np.dtype[np.uint32]]

HASHES = 64
_BAND = 4
BANDS = HASHES // _BAND
_FIRST_ROOM = 256  # sketches; a power of two, since it is the number of buckets too
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
    words = np.fromiter((zlib.crc32(token.encode("utf-8", "replace")) for token in tokens), dtype=np.uint64)
    count = len(words) - _SHINGLE + 1
    shingles = np.zeros(count, dtype=np.uint64)
    for place in range(_SHINGLE):  # a polynomial in the words' hashes; uint64 wraps, which is what is wanted
        shingles = shingles * np.uint64(0x9E3779B97F4A7C15) + words[place : place + count]
    hashes = np.unique(shingles ^ (shingles >> np.uint64(32)))
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

    A sketch costs about 500 bytes: itself, and a link to the one before it in each of its 16 buckets. Buckets
    hold no keys: what falls into one by chance is sorted out by the comparison that follows anyway.
    """

    def __init__(self) -> None:
        self._count = 0
        self._rows: Any = None  # uint32, (room, HASHES); room doubles
        self._numbers: Any = None  # int64, (room,)
        self._heads: Any = None  # int32, (BANDS, room): the newest row of each bucket, or -1
        self._links: Any = None  # int32, (room, BANDS): the next older row of the same bucket, or -1

    def matches(self, one: Sketch) -> list[int]:
        """The numbers of the sketches that are alike, ascending; of equal ones the first stands for all."""
        rows = self._candidates(one)
        if not rows:
            return []
        alike = (self._rows[rows] == one).mean(axis=1) >= ALIKE
        return sorted(int(self._numbers[row]) for row, is_alike in zip(rows, alike, strict=True) if is_alike)

    def add(self, number: int, one: Sketch) -> None:
        """Remember a sketch under its owner's number."""
        rows = self._candidates(one)
        if rows and (self._rows[rows] == one).all(axis=1).any():
            return
        self._make_room()
        row = self._count
        self._rows[row] = one
        self._numbers[row] = number
        for band, bucket in enumerate(self._buckets(one[None, :])[0].tolist()):
            self._links[row, band] = self._heads[band, bucket]
            self._heads[band, bucket] = row
        self._count += 1

    def _candidates(self, one: Sketch) -> list[int]:
        found: set[int] = set()
        if not self._count:
            return []
        for band, bucket in enumerate(self._buckets(one[None, :])[0].tolist()):
            row = int(self._heads[band, bucket])
            while row >= 0:
                found.add(row)
                row = int(self._links[row, band])
        return sorted(found)

    def _buckets(self, sketches: Any) -> Any:
        """The bucket of each band of each sketch, (sketches, BANDS)."""
        import numpy as np

        words = np.ascontiguousarray(sketches).reshape(len(sketches), BANDS, _BAND).astype(np.uint64)
        mixed = np.zeros(words.shape[:2], dtype=np.uint64)
        for place in range(_BAND):  # multiply-xor over the words; uint64 wraps, which is what is wanted
            mixed = (mixed ^ words[:, :, place]) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        return mixed & np.uint64(self._heads.shape[1] - 1)

    def _make_room(self) -> None:
        import numpy as np

        room = 0 if self._rows is None else len(self._rows)
        if self._count < room:
            return
        grown = max(2 * room, _FIRST_ROOM)
        rows, numbers = np.zeros((grown, HASHES), dtype=np.uint32), np.zeros(grown, dtype=np.int64)
        if room:
            rows[:room], numbers[:room] = self._rows, self._numbers
        self._rows, self._numbers = rows, numbers
        self._heads = np.full((BANDS, grown), -1, dtype=np.int32)
        self._links = np.full((grown, BANDS), -1, dtype=np.int32)
        if room:
            self._link_again(room)

    def _link_again(self, count: int) -> None:
        """Sort all rows into the larger table: in each bucket every row links to the one before it."""
        import numpy as np

        for start in range(0, count, _FIRST_ROOM):
            stop = min(start + _FIRST_ROOM, count)
            buckets = self._buckets(self._rows[start:stop])
            for band in range(BANDS):
                own = buckets[:, band].astype(np.int64)
                order = np.argsort(own, kind="stable")
                ordered = own[order]
                is_first = np.r_[True, ordered[1:] != ordered[:-1]]
                older = np.r_[-1, order[:-1] + start].astype(np.int32)
                older[is_first] = self._heads[band, ordered[is_first]]
                self._links[order + start, band] = older
                is_last = np.r_[is_first[1:], True]
                self._heads[band, ordered[is_last]] = (order[is_last] + start).astype(np.int32)
