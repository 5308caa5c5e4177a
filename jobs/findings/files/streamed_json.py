"""Large JSON texts: their long lists are decoded one entry at a time, each time they are walked.

The same C decoder reads the same text, so the values are those of `json.loads`; only the long containers
around them are made by hand. A 100 MB report then needs its text and its findings, not its whole tree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from jobs.findings.model.long_list import LongList

# From this many characters on the tree is not built: json.loads needs about four times the text.
LARGE = 16 << 20
# A container of more characters is long: made by hand, a list of them lazily.
_LONG = 1 << 18
# Reports nest some ten deep; what nests deeper than this is left to json.loads and its refusal.
_MAX_DEPTH = 200
# From one bracket to the next, strings skipped; possessive, so that nothing is ever tried again.
_BRACKET = re.compile(r'[^"{}\[\]]*+(?:"(?:[^"\\]++|\\.)*+"[^"{}\[\]]*+)*+[{}\[\]]', re.DOTALL)
_SPACE = re.compile(r"[ \t\n\r]*+")


class _NotSimple(Exception):
    """The text is broken or too deep for this reader; json.loads says what is wrong with it."""


class _LongObject(dict[str, Any]):
    """An object that holds long lists or objects; marks where the check has to go on."""


def decode(text: str, start: int, parse_int: Callable[[str], int | None]) -> tuple[Any, int] | None:
    """The JSON value at `start` and where it ends, with its long lists left in the text.

    Args:
        text: The whole text; it stays in memory as long as the value.
        start: Where the value begins.
        parse_int: As json.loads takes it.

    Returns:
        None where the value is broken, nested too deeply or no container: json.loads has the last word.
    """
    long = _long_containers(text, start)
    if not long or start not in long:
        return None
    decoder: Any = json.JSONDecoder(strict=False, parse_int=parse_int)
    try:
        value, end = _Decoder(text, long, decoder.scan_once).value(start)
        _check(value)
    except (_NotSimple, ValueError, IndexError, RecursionError):
        return None
    return value, end


def _long_containers(text: str, start: int) -> dict[int, int] | None:
    """Where the long containers begin and end, or None where the brackets do not close."""
    found: dict[int, int] = {}
    open_: list[int] = []
    position, match = start, _BRACKET.match
    while bracket := match(text, position):
        position = bracket.end()
        if text[position - 1] in "{[":
            open_.append(position - 1)
            if len(open_) > _MAX_DEPTH:
                return None
            continue
        if not open_:
            return None
        begin = open_.pop()
        if position - begin > _LONG:
            found[begin] = position
        if not open_:
            return found
    return None


class _Decoder:
    """Decodes one text, of which the long containers are known."""

    def __init__(self, text: str, long: dict[int, int], scan: Callable[[str, int], tuple[Any, int]]) -> None:
        self._text, self._long, self._scan = text, long, scan

    def value(self, start: int) -> tuple[Any, int]:
        """The value at `start`, and where it ends."""
        end = self._long.get(start)
        if end is None:
            try:
                return self._scan(self._text, start)
            except StopIteration as stop:
                raise _NotSimple from stop
        if self._text[start] == "{":
            return self._object(start), end
        return LongList(lambda: self._entries(start)), end

    def _space(self, start: int) -> int:
        match = _SPACE.match(self._text, start)
        return match.end() if match else start

    def _entries(self, start: int) -> Iterator[Any]:
        position = self._space(start + 1)
        if self._text[position] == "]":
            return
        while True:
            value, position = self.value(position)
            yield value
            position = self._space(position)
            mark = self._text[position]
            if mark == "]":
                return
            if mark != ",":
                raise _NotSimple
            position = self._space(position + 1)

    def _object(self, start: int) -> _LongObject:
        found = _LongObject()
        position = self._space(start + 1)
        if self._text[position] == "}":
            return found
        while self._text[position] == '"':
            key, position = self._scan(self._text, position)
            position = self._space(position)
            if self._text[position] != ":":
                break
            found[key], position = self.value(self._space(position + 1))
            position = self._space(position)
            mark = self._text[position]
            if mark == "}":
                return found
            if mark != ",":
                break
            position = self._space(position + 1)
        raise _NotSimple


def _check(value: Any) -> None:
    """Decode everything once, so that walking it later cannot fail."""
    if isinstance(value, LongList):
        for entry in value:
            _check(entry)
    elif isinstance(value, _LongObject):
        for entry in value.values():
            _check(entry)
