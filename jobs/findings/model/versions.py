"""The right fixed version of a package: ordered by its own ecosystem's rules, never a downgrade."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from univers.version_range import RANGE_CLASS_BY_SCHEMES

from jobs.findings.model.structs import record

_Identifiers = tuple[tuple[int, int | str], ...]
# An upper bound is no fixed version; "> 1.2" is fixed only somewhere above 1.2.
_NOT_FIXED = {"<", "<=", ">", "!="}
_CANDIDATE = re.compile(r"(~>|>=|<=|==|!=|=|>|<|\^|~)?\s*([vV]?[0-9A-Za-z][^\s,|;()\[\]]*)")
_SINGLE = re.compile(r"[0-9][^\s,|;()\[\]]{0,200}")
_DOTTED = re.compile(r"[vV]?\d{1,9}(\.\d{1,9})*")
# Comparing numbers is a hundred times quicker than univers' objects; a test holds the two together.
_NUMERIC = frozenset({"npm", "pypi", "maven", "golang", "cargo", "gem", "nuget", "composer"})
# Semantic Versioning 2.0.0, section 11, orders their pre-releases.
_SEMANTIC = frozenset({"npm", "golang", "cargo"})
_PRERELEASE = re.compile(
    r"[vV]?([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)", re.ASCII
)
_RELEASED: _Identifiers = ((2, 0),)  # above every identifier of a pre-release
# purl types whose order univers keeps under another name.
_SCHEMES = {"rubygems": "gem", "alpine": "apk", "hackage": "generic", "pub": "generic", "swift": "generic"}


@record(frozen=True, slots=True)
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
    if _SINGLE.fullmatch(fixed):
        return (fixed,)
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
    return _choose(ecosystem, installed, fixed if isinstance(fixed, tuple) else tuple(fixed))


@lru_cache(maxsize=4096)  # many advisories of one package name the same fixed versions
def _choose(ecosystem: str | None, installed: str | None, fixed: tuple[str, ...]) -> Choice | None:
    base = key(ecosystem, installed)
    if base is None:
        return None
    above: dict[str, Any] = {}
    for version in fixed:
        order = key(ecosystem, version)
        if order is not None and _less(base, order):
            above[version] = order
    ordered = _sort(above)
    return Choice(ordered[0], tuple(ordered[1:])) if ordered else None


def nearest(ecosystem: str | None, installed: str, others: Iterable[str]) -> str | None:
    """As `choose`, without the alternatives, which cost a sorting."""
    return _nearest(ecosystem, installed, others if isinstance(others, tuple) else tuple(others))


@lru_cache(maxsize=4096)
def _nearest(ecosystem: str | None, installed: str, others: tuple[str, ...]) -> str | None:
    base = key(ecosystem, installed)
    if base is None:
        return None
    found, least = None, None
    for version in sorted(others):
        order = key(ecosystem, version)
        if order is not None and _less(base, order) and (found is None or _less(order, least)):
            found, least = version, order
    return found


def highest(ecosystem: str | None, versions: Iterable[str]) -> str | None:
    """The highest of the versions that can be ordered, or None."""
    keys = {version: key(ecosystem, version) for version in sorted(set(versions))}
    ordered = _sort({version: order for version, order in keys.items() if order is not None})
    return ordered[-1] if ordered else None


def at_most(ecosystem: str | None, low: str, high: str) -> bool | None:
    """Whether `low` <= `high`; None where they cannot be compared."""
    first, second = key(ecosystem, low), key(ecosystem, high)
    if first is None or second is None:
        return None
    return not _less(second, first)


class _Plain:
    """A version whose order is a tuple's (dotted, semantic); univers' object only if needed."""

    __slots__ = ("ecosystem", "order", "text")

    def __init__(
        self, ecosystem: str, text: str, parts: tuple[int, ...], before: _Identifiers = _RELEASED
    ) -> None:
        self.ecosystem, self.text = ecosystem, text
        self.order = (parts + (0, 0, 0)[len(parts) :], before)


@lru_cache(maxsize=4096)
def key(ecosystem: str | None, version: str | None) -> Any:
    """An object that `_less` orders as the ecosystem does its versions, or None for an unknown one."""
    if not version or len(version) > 200:
        return None
    name = (ecosystem or "").lower()
    parts = _parse_dotted(version)
    if parts is not None and name in _NUMERIC:
        return _Plain(name, version, parts)
    if name in _SEMANTIC and (found := _prerelease(name, version)):
        return found
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


def _prerelease(name: str, version: str) -> _Plain | None:
    """A strict semantic version with a pre-release; whatever else there is, univers reads."""
    match = _PRERELEASE.fullmatch(version)
    if match is None:
        return None
    identifiers: list[tuple[int, int | str]] = []
    for part in match[4].split("."):
        if part.isdigit() and part != str(int(part)):
            return None  # a leading zero is not allowed
        identifiers.append((0, int(part)) if part.isdigit() else (1, part))
    return _Plain(name, version, (int(match[1]), int(match[2]), int(match[3])), tuple(identifiers))


def _parse_dotted(version: str) -> tuple[int, ...] | None:
    if not _DOTTED.fullmatch(version):
        return None
    parts = list(map(int, version.lstrip("vV").split(".")))
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _less(first: Any, second: Any) -> bool:
    if isinstance(first, _Plain) and isinstance(second, _Plain):
        return first.order < second.order
    first, second = (_univers(k.ecosystem, k.text) if isinstance(k, _Plain) else k for k in (first, second))
    try:
        return bool(first < second)
    except Exception:  # as in `key`: some versions are found unreadable only when compared
        return False


def _sort(keys: dict[str, Any]) -> list[str]:
    if len(keys) < 2:
        return list(keys)
    ordered: list[str] = []
    for version in sorted(keys):  # few versions; insertion needs only `<`, and a failing one stays harmless
        place = next(
            (n for n, other in enumerate(ordered) if _less(keys[version], keys[other])), len(ordered)
        )
        ordered.insert(place, version)
    return ordered
