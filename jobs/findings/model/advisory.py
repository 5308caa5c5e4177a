"""Advisory identifiers: which of several names of one problem is shown as its rule."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

# The name most tools know comes first; osv-scanner's SARIF picks the CVE too.
_PREFERENCE = ("CVE-", "GHSA-", "MAL-", "PYSEC-", "GO-", "RUSTSEC-", "OSV-")


@lru_cache(maxsize=4096)
def rank(identifier: str) -> tuple[int, str]:
    """A sort key: the better known the kind of identifier, the smaller."""
    upper = identifier.upper()
    place = next((n for n, prefix in enumerate(_PREFERENCE) if upper.startswith(prefix)), len(_PREFERENCE))
    return place, identifier


def choose_name(identifiers: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The identifier to show, and the others in order.

    Raises:
        ValueError: There is no identifier.
    """
    ordered = sorted(set(identifiers), key=rank)
    if not ordered:
        raise ValueError("an advisory without an identifier")
    return ordered[0], tuple(ordered[1:])
