"""Reading report values of unknown type: each function gives the wanted shape or its absence."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any, TypeGuard

from jobs.findings.model.long_list import LongList

# Real files stay far below; a larger number is damage, and int arithmetic on it is slow.
MAX_LINE = 10_000_000
_NUMBERS = (int, float)
_NUMERIC = (int, float, str)


def text(value: object) -> str | None:
    """A non-empty string (numbers become text), or None; lone surrogates become `?`.

    JSON may escape half a surrogate pair; such a string cannot be written as UTF-8 later.
    """
    if value is None:  # the most common of all: it is asked for everything that a record may hold
        return None
    if isinstance(value, str):
        if not value or value.isspace():
            return None
        return value if value.isascii() else _encodable(value)
    if isinstance(value, _NUMBERS) and not isinstance(value, bool):
        return str(value) if _printable(value) else None
    return None


def _encodable(value: str) -> str:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


def _printable(value: int | float) -> bool:
    return math.isfinite(value) if isinstance(value, float) else abs(value) < 10**18


def line(value: object) -> int | None:
    """A 1-based line or column number (ZAP and some SARIF writers quote them), or None."""
    if value is None:
        return None
    if type(value) is int:  # neither a bool nor quoted: nearly every one
        return value if 1 <= value <= MAX_LINE else None
    if isinstance(value, str) and value.isdecimal() and len(value) < 9:
        value = int(value)
    if not isinstance(value, int) or value is True:
        return None
    return value if 1 <= value <= MAX_LINE else None


def number(value: object) -> float | None:
    """A finite number, also from a string, or None."""
    if value is None or isinstance(value, bool) or not isinstance(value, _NUMERIC):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def mapping(value: object) -> dict[str, Any]:
    """The dict itself, or an empty one for everything else."""
    return value if isinstance(value, dict) else {}


def is_list(value: object) -> TypeGuard[Sequence[Any]]:
    """Whether a JSON value is a list, be it one that is decoded while it is walked."""
    kind = type(value)  # asked for most of what a record holds; isinstance of an ABC is ten times slower
    return kind is list or kind is LongList


def is_list_or_null(value: object) -> TypeGuard[Sequence[Any] | None]:
    """Whether a JSON value is a list or null, which many tools write for an empty one."""
    return value is None or is_list(value)


def items(value: object) -> Sequence[Any]:
    """The list itself, or an empty one for everything else."""
    if value is None:  # the most common of all
        return ()
    return value if is_list(value) else ()


def mappings(value: object) -> list[dict[str, Any]]:
    """The dicts of a list; other entries are left out."""
    if value is None:
        return []
    return [entry for entry in value if isinstance(entry, dict)] if is_list(value) else []


def first_mappings(value: object, count: int) -> list[dict[str, Any]]:
    """The dicts among the first `count` entries of a list: what tells a long list's kind."""
    return [entry for entry in items(value)[:count] if isinstance(entry, dict)]


def as_list(value: object) -> object:
    """A lone object as a list of it: what an XML-to-JSON conversion makes of a list with one entry."""
    return [value] if isinstance(value, dict) else value


def texts(value: object) -> tuple[str, ...]:
    """The strings of a list, or of a lone string."""
    if not value:
        return ()
    entries = [value] if isinstance(value, str) else items(value)
    return tuple([found for entry in entries if (found := text(entry)) is not None])


def dig(value: object, *path: str) -> Any:
    """The value below nested keys, or None where a level is missing or not a dict."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def first_line(value: str, limit: int = 200) -> str:
    """The first line with text, cut to `limit` characters, for titles."""
    for candidate in value.lstrip()[: 4 * limit].splitlines():
        if stripped := candidate.strip():
            return stripped if len(stripped) <= limit else stripped[: limit - 1] + "…"
    return ""


def code_lines(code: str, start: int) -> tuple[tuple[int, str], ...]:
    """Number the lines of a snippet from `start` (1-based); a last newline adds no line."""
    found = re.split(r"\r\n|\n|\r", code) if "\r" in code else code.split("\n")
    if len(found) > 1 and found[-1] == "":
        found.pop()
    return tuple(enumerate(found, start))
