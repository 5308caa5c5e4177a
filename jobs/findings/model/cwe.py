"""CWE identifiers out of whatever a report calls them; written as "CWE-79"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from jobs.findings.model import coerce

_NAMED = re.compile(r"cwe[-_ :/]*0*([1-9]\d{0,4})(?!\d)", re.IGNORECASE)
_BARE = re.compile(r"0*([1-9]\d{0,4})")


def of(*values: object) -> tuple[str, ...]:
    """CWEs named in strings, lists of strings and dicts with an `id` or `cweId`, in ascending order.

    Knows "CWE-78: ...", "external/cwe/cwe-079", "cwe:79".
    """
    found: set[int] = set()
    for value in values:
        if value:
            for entry in _strings(value):
                found.update(_numbers(entry))
    return tuple([f"CWE-{number}" for number in sorted(found)]) if found else ()


@lru_cache(maxsize=4096)  # a report names the same few CWEs and tags thousands of times
def _numbers(entry: str) -> tuple[int, ...]:
    return tuple(int(match) for match in _NAMED.findall(entry))


def bare(value: object) -> tuple[str, ...]:
    """A CWE given as its number alone (ZAP's `cweid`); "-1" and "0" mean none."""
    match = _BARE.fullmatch(coerce.text(value) or "")
    return (f"CWE-{match[1]}",) if match else of(value)


def unite(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    """Several lists of CWEs as one, in ascending order."""
    return of([entry for group in groups for entry in group])


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    found: list[str] = []
    for entry in coerce.items(value):
        if isinstance(entry, dict):
            entry = coerce.text(entry.get("id") or entry.get("cweId"))
        if isinstance(entry, str):
            found.append(entry)
    return found
