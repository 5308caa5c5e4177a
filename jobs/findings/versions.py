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
# purl types whose order univers keeps under another name.
_SCHEMES = {"rubygems": "gem", "alpine": "apk", "hackage": "generic", "pub": "generic", "swift": "generic"}


@dataclass(frozen=True, slots=True)
class Choice:
    """The version to upgrade to, and the advisory's other fixed versions above the installed one."""

    version: str
    alternatives: tuple[str, ...] = ()


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
    base = key(ecosystem, installed)
    if base is None:
        return None
    above = {}
    for version in dict.fromkeys(fixed):
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


@lru_cache(maxsize=4096)
def key(ecosystem: str | None, version: str | None) -> Any:
    """An object that orders as the ecosystem orders its versions, or None for one it does not know."""
    if not version or len(version) > 200:
        return None
    name = (ecosystem or "").lower()
    scheme = RANGE_CLASS_BY_SCHEMES.get(_SCHEMES.get(name, name))
    if scheme is None:
        return _dotted(version)
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
