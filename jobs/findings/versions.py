"""The right fixed version of a package: ordered by its own ecosystem's rules, never a downgrade."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from univers.version_range import RANGE_CLASS_BY_SCHEMES

# An upper bound is no fixed version; "> 1.2" is fixed only somewhere above 1.2.
_NOT_FIXED = {"<", "<=", ">", "!="}
_CANDIDATE = re.compile(r"(~>|>=|<=|==|!=|=|>|<|\^|~)?\s*([vV]?[0-9A-Za-z][^\s,|;()\[\]]*)")
_DOTTED = re.compile(r"[vV]?\d{1,9}(\.\d{1,9})*")
# Comparing numbers is a hundred times quicker than univers' objects; a test holds the two together.
_NUMERIC = frozenset({"npm", "pypi", "maven", "golang", "cargo", "gem", "nuget", "composer"})
# purl types whose order univers keeps under another name.
_SCHEMES = {"rubygems": "gem", "alpine": "apk", "hackage": "generic", "pub": "generic", "swift": "generic"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The version to upgrade to, and the advisory's other fixed versions above the installed one."""

    version: str
    alternatives: tuple[str, ...] = ()


@lru_cache(maxsize=4096)
def candidates(fixed: str) -> tuple[str, ...]:
    """The fixed versions named in a scanner's text: a comma list, `||`, or ranges such as `~> 5.2.4, >= 6.0`.

    Args:
        fixed: For example Trivy's `FixedVersion`.

    Returns:
        The versions in the text's order, without upper bounds.
    """
    found = (match for match in _CANDIDATE.finditer(fixed[:4000]))
    kept = [match[2] for match in found if match[1] not in _NOT_FIXED and any(map(str.isdigit, match[2]))]
    return tuple(dict.fromkeys(kept))


def choose(ecosystem: str | None, installed: str | None, fixed: Iterable[str]) -> Choice | None:
    """The smallest fixed version above the installed one (so its own branch first), or None.

    Args:
        ecosystem: purl type (npm, pypi, maven, deb, ...); without one only dotted numbers can be ordered.
        installed: The version in use.
        fixed: Fixed versions in any order.

    Returns:
        None where no version is provably higher: an unknown order is not guessed.
    """
    return _chosen(ecosystem, installed, tuple(dict.fromkeys(fixed)))


@lru_cache(maxsize=4096)  # many advisories of one package name the same fixed versions
def _chosen(ecosystem: str | None, installed: str | None, fixed: tuple[str, ...]) -> Choice | None:
    base = key(ecosystem, installed)
    if base is None:
        return None
    above = {}
    for version in fixed:
        order = key(ecosystem, version)
        if order is not None and _less(base, order):
            above[version] = order
    ordered = _sorted(above)
    return Choice(ordered[0], tuple(ordered[1:])) if ordered else None


def highest(ecosystem: str | None, versions: Iterable[str]) -> str | None:
    """The highest of the versions that can be ordered, or None."""
    keys = {version: key(ecosystem, version) for version in sorted(set(versions))}
    ordered = _sorted({version: order for version, order in keys.items() if order is not None})
    return ordered[-1] if ordered else None


def at_most(ecosystem: str | None, low: str, high: str) -> bool | None:
    """Whether `low` <= `high`; None where they cannot be compared."""
    first, second = key(ecosystem, low), key(ecosystem, high)
    if first is None or second is None:
        return None
    return not _less(second, first)


class _Plain:
    """A dotted number of an ecosystem that orders such numbers as numbers; univers' object only if needed."""

    __slots__ = ("ecosystem", "parts", "text")

    def __init__(self, ecosystem: str, text: str, parts: tuple[int, ...]) -> None:
        self.ecosystem, self.text, self.parts = ecosystem, text, parts


@lru_cache(maxsize=4096)
def key(ecosystem: str | None, version: str | None) -> Any:
    """An object that `_less` orders as the ecosystem does its versions, or None for an unknown one."""
    if not version or len(version) > 200:
        return None
    name = (ecosystem or "").lower()
    parts = _dotted(version)
    if parts is not None and name in _NUMERIC:
        return _Plain(name, version, parts)
    if name and _SCHEMES.get(name, name) in RANGE_CLASS_BY_SCHEMES:
        return _univers(name, version)
    return parts


@lru_cache(maxsize=4096)
def _univers(name: str, version: str) -> Any:
    scheme = RANGE_CLASS_BY_SCHEMES[_SCHEMES.get(name, name)]
    try:
        return scheme.version_class(version.strip())
    except Exception:  # univers raises plain Exceptions of its own (InvalidNuGetVersion) for foreign text
        return None


def _dotted(version: str) -> tuple[int, ...] | None:
    if not _DOTTED.fullmatch(version):
        return None
    parts = [int(part) for part in version.lstrip("vV").split(".")]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _less(first: Any, second: Any) -> bool:
    if isinstance(first, _Plain) and isinstance(second, _Plain):
        return first.parts < second.parts
    first, second = (_univers(k.ecosystem, k.text) if isinstance(k, _Plain) else k for k in (first, second))
    try:
        return bool(first < second)
    except Exception:  # as in `key`: some versions are found unreadable only when compared
        return False


def _sorted(keys: dict[str, Any]) -> list[str]:
    ordered: list[str] = []
    for version in sorted(keys):  # few versions; insertion needs only `<`, and a failing one stays harmless
        place = next(
            (n for n, other in enumerate(ordered) if _less(keys[version], keys[other])), len(ordered)
        )
        ordered.insert(place, version)
    return ordered
