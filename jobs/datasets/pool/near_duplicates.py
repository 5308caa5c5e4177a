"""Near-duplicates: MinHash sketches over normalised tokens, and an index that finds sketches alike.

Alike are two sketches that agree in 80 % of their 64 hashes (the estimate's standard error there is 0.05).
They differ in 12 at most; cut into 13 bands, they have at least one band in common, so looking there misses
none.
"""

from __future__ import annotations

import random
import re
import zlib
from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.datasets.pool.scratch_db import scratch_database

if TYPE_CHECKING:
    import numpy as np

    Sketch = np.ndarray[Any, np.dtype[np.uint32]]

HASHES = 64
ALIKE = 0.8
_WORD = 4  # bytes of a hash
_BANDS = HASHES - ceil(ALIKE * HASHES) + 1  # one more than hashes that may differ
_PLACES = [
    tuple(_WORD * (HASHES * edge // _BANDS) for edge in (band, band + 1)) for band in range(_BANDS)
]  # where each begins and ends, in bytes
CACHE_KIB = 16_384  # of all bands; beyond some 30,000 sketches the operating system caches the rest
_COMPARED = 1_000  # sketches at once: however many copies there are of one code, memory stays flat
_SHINGLE = 5
# Fewer tokens than this are a common idiom rather than a copy; those are compared exactly.
_FEWEST_TOKENS = 20

_TOKEN = re.compile(r"\w+|[^\w\s]")

_SCHEMA = """
CREATE TABLE sketches (number INTEGER PRIMARY KEY, sketch BLOB NOT NULL);
CREATE TABLE bands (band INTEGER, number INTEGER, PRIMARY KEY (band, number)) WITHOUT ROWID;
"""
_SHARING = f"""
SELECT number, sketch FROM sketches
WHERE number IN (SELECT number FROM bands WHERE band IN ({", ".join("?" * _BANDS)}))
"""
_EQUAL = "SELECT 1 FROM bands JOIN sketches USING (number) WHERE sketch = ? AND band = ?"


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
    """Finds what was added before and is alike: all of it, not only what chance lets meet.

    Being alike does not depend on the order of adding: what grouping did not see, a later check would not see
    either, and the other way round. Sketches and bands are on disk; memory holds a cache of fixed size.

    Args:
        path: A file to make; it is scratch.
    """

    def __init__(self, path: Path) -> None:
        self._database = scratch_database(path, _SCHEMA, CACHE_KIB)

    def matches(self, drawn: Sketch) -> list[int]:
        """The numbers of the sketches that are alike, ascending; of equal ones the first stands for all."""
        import numpy as np

        found: list[int] = []
        sharing = self._database.execute(_SHARING, _bands(drawn))
        while portion := sharing.fetchmany(_COMPARED):
            others = np.frombuffer(b"".join(other for _, other in portion), dtype=np.uint32)
            alike = (others.reshape(-1, HASHES) == drawn).mean(axis=1) >= ALIKE
            found += [number for (number, _), is_alike in zip(portion, alike, strict=True) if is_alike]
        return sorted(found)

    def add(self, number: int, drawn: Sketch) -> None:
        """Remember a sketch under its owner's number, which no other sketch has."""
        packed = drawn.tobytes()
        whole = _band_key(len(_PLACES), packed)
        if self._database.execute(_EQUAL, (packed, whole)).fetchone():
            return
        self._database.execute("INSERT INTO sketches VALUES (?, ?)", (number, packed))
        self._database.executemany(
            "INSERT OR IGNORE INTO bands VALUES (?, ?)",
            [(band, number) for band in (*_bands(drawn), whole)],
        )

    def close(self) -> None:
        """Let go of the cache and the file."""
        self._database.close()


def _bands(drawn: Sketch) -> list[int]:
    packed = drawn.tobytes()
    return [_band_key(band, packed[start:stop]) for band, (start, stop) in enumerate(_PLACES)]


def _band_key(band: int, words: bytes) -> int:
    """A band's place and content as one integer: 6 bytes in the index, where the words themselves take 20.

    A sketch has 14 such keys. What meets by chance is sorted out by the comparison that follows.
    """
    return band << 32 | zlib.crc32(words)
