"""A JSON list whose entries are decoded each time it is walked, and none of them is held."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, SupportsIndex, overload


class LongList(Sequence[Any]):
    """A list that lies in a text: looked at in whatever way, it agrees with the list that it stands for.

    It is no `list`, whose content C code would read past these methods: ask `coerce.is_list` for either.

    Args:
        entries: Decodes the entries from the first one on; called anew for each walk.
    """

    __slots__ = ("_entries", "_length")

    def __init__(self, entries: Callable[[], Iterator[Any]]) -> None:
        self._entries = entries
        self._length: int | None = None

    def __iter__(self) -> Iterator[Any]:
        return self._entries()

    def __len__(self) -> int:
        if self._length is None:
            self._length = sum(1 for _ in self._entries())
        return self._length

    def __bool__(self) -> bool:
        return next(iter(self), self) is not self

    @overload
    def __getitem__(self, index: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        if isinstance(index, slice):
            return self._slice(index)
        number = operator.index(index)
        if number < 0:
            number += len(self)
        if number >= 0:
            for entry in islice(self, number, None):
                return entry
        raise IndexError(f"a long list has no entry {index}")

    def _slice(self, wanted: slice) -> list[Any]:
        bounds = (wanted.start, wanted.stop, wanted.step)
        if all(bound is None or operator.index(bound) >= 0 for bound in bounds) and wanted.step != 0:
            return list(islice(self, *bounds))  # walks no further than it has to
        return list(self)[wanted]

    def __reversed__(self) -> Iterator[Any]:
        # An entry by its index would walk the list from its start each time.
        yield from list(self)[::-1]

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """The first index between `start` and `stop` with an entry equal to `value`.

        Raises:
            ValueError: There is none.
        """
        first, last, _ = slice(start, stop).indices(len(self))
        for number, entry in enumerate(islice(self, first, max(first, last)), first):
            if entry == value:
                return number
        raise ValueError(f"{value!r} is not in a long list")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list | LongList):
            return NotImplemented
        return len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as a list has none

    def __repr__(self) -> str:
        return "<a long list>"  # its text may have hundreds of megabytes
