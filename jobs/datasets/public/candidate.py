"""A candidate: one change of a public source with what is known about it, before it is made an example.

A new public source is one file in `jobs/datasets/public/sources/` that offers a `SourceReader`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from jobs.datasets.examples.diff import ChangeGroup
from jobs.datasets.examples.drop_reasons import Drops

_CWE = re.compile(r"(?<![A-Z-])CWE-0*(\d+)\b")
_MISSING = {"", "nan", "none", "null", "n/a"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One change.

    Args:
        source: The public source's name.
        key: Which change it is; rows with the same key tell of the same change.
        group: The change itself.
        language: The fence's tag; None where it is not known.
        cwes: (identifier, name or "") pairs; empty where the source knows none.
        description: Prose about the vulnerability; None where there is none.
        groups: Keys that must not be torn apart by a split.
        whole_fix: Whether this one change is the whole fix of its commit or file pair.
        provenance: Where the fix comes from.
        attribution: Whom its licence asks to name.
    """

    source: str
    key: str
    group: ChangeGroup
    language: str | None
    cwes: tuple[tuple[str, str], ...]
    description: str | None
    groups: tuple[str, ...]
    whole_fix: bool
    provenance: str
    attribution: str

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        # asdict would copy all the code once more.
        plain = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**plain, "group": self.group.to_json()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Candidate:
        """Rebuild a candidate from `to_json`'s output."""
        return cls(
            **{
                **value,
                "group": ChangeGroup.from_json(value["group"]),
                "cwes": tuple((identifier, name) for identifier, name in value["cwes"]),
                "groups": tuple(value["groups"]),
            }
        )


@dataclass(frozen=True, slots=True)
class SourceReader:
    """What a public source's file offers.

    Args:
        name: The source's name in requests and settings; its file has the same.
        title: How a certified model's name writes it: letters, digits and "_".
        columns: The columns that a row must have; each entry lists the names it is known by.
        candidates: Makes the candidates of one row: (row, context lines, drops) -> candidates.
        licence: The licence of the data, as its card and its origin state it.
        attribution: Whom the licence asks to name.
        more_columns: Columns that are read where they are there.
    """

    name: str
    title: str
    columns: tuple[tuple[str, ...], ...]
    candidates: Callable[[dict[str, Any], int, Drops], list[Candidate]]
    licence: str
    attribution: str
    more_columns: tuple[str, ...] = ()

    @property
    def read_columns(self) -> frozenset[str]:
        """Every name of every column that is read; the others need not be loaded at all."""
        return frozenset({name for names in self.columns for name in names} | {*self.more_columns})

    def missing_columns(self, row: dict[str, Any]) -> list[str]:
        """The needed columns that a row does not have at all (a null counts as having it)."""
        return [names[0] for names in self.columns if not any(name in row for name in names)]


def text_of(row: dict[str, Any], *names: str) -> str:
    """The first of the named fields that holds text, as it stands; "" for null, "nan", other types."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and value.strip().lower() not in _MISSING:
            return value
    return ""


def cwe_ids(text: str) -> list[str]:
    """The CWE identifiers in a text, without leading zeros; "NVD-CWE-noinfo" and "CWE-Other" are none."""
    return list(dict.fromkeys(f"CWE-{number}" for number in _CWE.findall(text)))
