"""Grouping: which examples hang together through shared keys; 4 bytes each in memory, the keys on disk."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Pairs = np.ndarray[Any, np.dtype[np.uint64]]  # (key, position) in each row

_BUFFERED = 1 << 14  # pairs that wait in memory, 16 bytes each
SORTED = 1 << 18  # pairs sorted at once: about 15 MB with what sorting needs
_PAIR = 16  # bytes


class Grouping:
    """Positions from 0 on, and what joins them.

    Args:
        path: A scratch file for the keys.
    """

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w+b")
        self._waiting = array("Q")
        self._parents = array("I")

    def __len__(self) -> int:
        return len(self._parents)

    def add(self, keys: Iterable[int], others: Iterable[int] = ()) -> int:
        """Take the next position in.

        Args:
            keys: 64-bit numbers without a sign; positions that share one belong together.
            others: Earlier positions that it belongs to.

        Returns:
            The position.
        """
        position = len(self._parents)
        self._parents.append(position)
        for other in others:
            self._join(position, other)
        for key in keys:
            self._waiting.append(key)
            self._waiting.append(position)
        if len(self._waiting) >= 2 * _BUFFERED:
            self._flush()
        return position

    def roots(self) -> array[int]:
        """The first position of each position's group; no more are taken in."""
        self._flush()
        for pairs in self._by_key():
            for one, other in _neighbours(pairs):
                self._join(one, other)
        for position in range(len(self._parents)):
            self._parents[position] = self._root(position)
        return self._parents

    def _join(self, one: int, other: int) -> None:
        one, other = self._root(one), self._root(other)
        self._parents[max(one, other)] = min(one, other)

    def _root(self, position: int) -> int:
        parents = self._parents
        while parents[position] != position:
            parents[position] = parents[parents[position]]
            position = parents[position]
        return position

    def _flush(self) -> None:
        self._stream.seek(0, 2)
        self._waiting.tofile(self._stream)
        self._waiting = array("Q")

    def _by_key(self) -> Iterator[Pairs]:
        """All pairs in portions that fit in memory; the pairs of one key are in one of them."""
        import numpy as np

        portions = self._stream.seek(0, 2) // (_PAIR * SORTED) + 1
        for portion in range(portions):
            own = [block[block[:, 0] % np.uint64(portions) == portion] for block in self._blocks()]
            if own:
                yield np.concatenate(own)

    def _blocks(self) -> Iterator[Pairs]:
        import numpy as np

        self._stream.seek(0)
        while block := self._stream.read(_PAIR * _BUFFERED):
            yield np.frombuffer(block, dtype=np.uint64).reshape(-1, 2)

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()


def _neighbours(pairs: Pairs) -> Iterator[tuple[int, int]]:
    """Positions that share a key, each with the one before it: nine keys in ten have one position alone."""
    import numpy as np

    ordered = pairs[np.argsort(pairs[:, 0])]
    shared = np.flatnonzero(ordered[1:, 0] == ordered[:-1, 0])
    for place in shared:
        yield int(ordered[place, 1]), int(ordered[place + 1, 1])
