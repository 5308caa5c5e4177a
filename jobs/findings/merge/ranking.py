"""Which finding of a group is the richest: the first of them gives what no rule joins."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter

from jobs.findings.model.finding import Finding

_FORMATS = ("json", "xml", "sarif")  # richest first
_RANKED = {"rule", "title", "message"}
_unranked = attrgetter(*(entry.name for entry in fields(Finding) if entry.name not in _RANKED))


def rank(group: list[Finding]) -> list[Finding]:
    """The richest first, in an order that the whole content decides."""
    ranks = [_rank(finding) for finding in group]
    if len(set(ranks)) < len(ranks):  # only then is the text of everything else worth making
        keys = [(own, repr(_unranked(finding))) for own, finding in zip(ranks, group, strict=True)]
        return [group[index] for index in sorted(range(len(group)), key=keys.__getitem__)]
    return [group[index] for index in sorted(range(len(group)), key=ranks.__getitem__)]


def _rank(finding: Finding) -> tuple[int, int, str, str, str]:
    where = finding.location
    richness = bool(finding.cwes) + bool(finding.message)
    if where:
        richness += bool(where.snippet) + bool(where.start_column)
    known = _FORMATS.index(finding.format) if finding.format in _FORMATS else len(_FORMATS)
    return known, -richness, finding.rule, finding.title, finding.message
