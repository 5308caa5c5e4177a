"""One finding per problem: repeats, twins (JSON beside SARIF) and aliases brought together.

Everything is sorted before it is looked at, so the order of files cannot change the outcome.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import lru_cache
from itertools import chain
from operator import attrgetter

from jobs.findings.model import advisory, cwe, packages, versions
from jobs.findings.model.finding import PROVENANCES, Finding, Fix, Location, Package, Severity
from jobs.findings.model.structs import replace
from jobs.findings.scanners.registry import SCANNERS

_TWINNED = frozenset(scanner.name for scanner in SCANNERS)
_FORMATS = ("json", "xml", "sarif")  # richest first


def merge(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Bring together the findings that tell of one problem, and give each its fingerprint.

    Args:
        findings: As the scanners made them, of any number of files, in any order.

    Returns:
        Distinct findings with the richest fields of each, ordered by tool, rule, place and fingerprint.
    """
    advisories: list[Finding] = []
    others: list[Finding] = []
    for finding in findings:
        (advisories if finding.package else others).append(finding)
    merged = [_joined(group) for group in chain(_same_advisory(advisories), _same_place(others))]
    return tuple(sorted(_fingerprinted(merged), key=_place))


def _ranked(group: list[Finding]) -> list[Finding]:
    """The richest first, in an order that the whole content decides."""
    ranks = [_rank(finding) for finding in group]
    if len(set(ranks)) < len(ranks):  # only then is the text of everything else worth making
        keys = [(rank, repr(_unranked(finding))) for rank, finding in zip(ranks, group, strict=True)]
        return [group[place] for place in sorted(range(len(group)), key=keys.__getitem__)]
    return [group[place] for place in sorted(range(len(group)), key=ranks.__getitem__)]


_RANKED = {"rule", "title", "message"}
_unranked = attrgetter(*(entry.name for entry in fields(Finding) if entry.name not in _RANKED))


def _rank(finding: Finding) -> tuple[int, int, str, str, str]:
    place = finding.location
    richness = bool(finding.cwes) + bool(finding.message)
    if place:
        richness += bool(place.snippet) + bool(place.start_column)
    known = _FORMATS.index(finding.format) if finding.format in _FORMATS else len(_FORMATS)
    return known, -richness, finding.rule, finding.title, finding.message


def _place(finding: Finding) -> tuple[str, str, str, int, str]:
    place = finding.location
    name = place.path if place else finding.package.name if finding.package else finding.resource or ""
    return finding.tool, finding.rule, name, (place.start_line or 0) if place else 0, finding.fingerprint


# Advisories: the same package@version with a common identifier.


def _package_key(finding: Finding) -> tuple[str, str, str]:
    package = finding.package or Package("")
    return finding.tool, packages.plain_name("pypi", package.name), package.version or ""


def _same_advisory(findings: list[Finding]) -> Iterator[list[Finding]]:
    by_package: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        by_package[_package_key(finding)].append(finding)
    for group in by_package.values():
        yield from [group] if len(group) == 1 else _linked(group)


def _linked(findings: list[Finding]) -> Iterator[list[Finding]]:
    """Connected groups over shared identifiers (an alias named by one record only still links two)."""
    parent = list(range(len(findings)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    owner: dict[str, int] = {}
    for index, finding in enumerate(findings):
        for identifier in (finding.rule, *finding.aliases):
            first, second = sorted((root(owner.setdefault(identifier, index)), root(index)))
            parent[second] = first
    groups: dict[int, list[Finding]] = defaultdict(list)
    for index, finding in enumerate(findings):
        groups[root(index)].append(finding)
    yield from groups.values()


# Places in code, and addresses: the same rule at the same spot, whatever one of the twins leaves out.

_Detail = tuple[str | None, ...]


@dataclass(slots=True)
class _Spot:
    """The findings at one spot, and what is known of it: start and end column, message, resource, code."""

    detail: _Detail
    members: list[Finding] = field(default_factory=list)


def _same_place(findings: list[Finding]) -> Iterator[list[Finding]]:
    by_place: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        by_place[_place_key(finding)].append(finding)
    for group in by_place.values():
        if len(group) == 1:
            yield group
        else:
            yield from (spot.members for spot in _spots(group))


def _place_key(finding: Finding) -> tuple[str, ...]:
    place = finding.location
    if finding.http or (place is None and finding.tool == "zap"):
        return finding.tool, finding.rule, finding.resource or ""
    if place is None or place.start_line is None:
        # Without a line the message is all that tells two results apart.
        path = _plain_path(place.path) if place else ""
        return finding.tool, finding.rule, path, finding.message, finding.resource or ""
    return finding.tool, finding.rule, _plain_path(place.path), str(place.start_line), str(place.end_line)


@lru_cache(maxsize=4096)
def _plain_path(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./").lstrip("/")


def _detail(finding: Finding) -> _Detail:
    place = finding.location
    if place is None or place.start_line is None or finding.http:
        return ()
    columns = [str(column) if column else None for column in (place.start_column, place.end_column)]
    # Other tools have no twin in another format, and tell two flows from one line apart by the message.
    said = None if finding.tool in _TWINNED else finding.message
    return (*columns, said, finding.resource, _code(place) or None)


def _code(place: Location) -> str:
    """The reported lines without indentation and empty ones; what stands around them differs by tool."""
    last = place.end_line or place.start_line or 0
    inside = [text for number, text in place.snippet if (place.start_line or 0) <= number <= last]
    return "\n".join(stripped for text in inside if (stripped := " ".join(text.split())))


def _spots(findings: list[Finding]) -> list[_Spot]:
    """Join a finding that leaves something out to the fuller one it fits; two that contradict stay two.

    Two details that leave out the same parts fit only if they are equal, so only spots of other patterns
    are looked up, by the parts both know: a file with 100,000 results on one line costs no quadratic time.
    """
    by_detail: dict[_Detail, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_detail[_detail(finding)].append(finding)
    by_pattern: dict[_Pattern, list[_Detail]] = defaultdict(list)
    for detail in sorted(by_detail, key=lambda parts: [part or "" for part in parts]):
        by_pattern[_pattern(detail)].append(detail)
    spots: list[_Spot] = []
    for pattern in sorted(by_pattern, key=lambda known: (-sum(known), known)):
        indexes = _indexes(spots, pattern)
        for detail in by_pattern[pattern]:
            fitting = [spot for shared, index in indexes for spot in index.get(_project(detail, shared), ())]
            if fitting and len({spot.detail[-1:] for spot in fitting}) == 1:
                fitting[0].members += by_detail[detail]
            else:
                # Nothing fits, or several that hold different code: whose code it is cannot be told.
                spots.append(_Spot(detail, list(by_detail[detail])))
    return spots


_Pattern = tuple[bool, ...]


def _pattern(detail: _Detail) -> _Pattern:
    return tuple(part is not None for part in detail)


def _project(detail: _Detail, shared: _Pattern) -> _Detail:
    return tuple(part for part, wanted in zip(detail, shared, strict=True) if wanted)


def _indexes(spots: list[_Spot], pattern: _Pattern) -> list[tuple[_Pattern, dict[_Detail, list[_Spot]]]]:
    """The fuller spots by the parts that they and `pattern` both know, one index per pattern of theirs."""
    found: dict[_Pattern, dict[_Detail, list[_Spot]]] = {}
    shared_of: dict[_Pattern, _Pattern] = {}
    for spot in spots:
        own = _pattern(spot.detail)
        shared = shared_of.setdefault(own, tuple(one and two for one, two in zip(own, pattern, strict=True)))
        index = found.setdefault(own, {})
        index.setdefault(_project(spot.detail, shared), []).append(spot)
    return [(shared_of[own], index) for own, index in found.items()]


# Joining the fields.


def _joined(group: list[Finding]) -> Finding:
    if len(group) == 1:
        return _alone(group[0])
    group = _ranked(group)
    first = group[0]
    rule, aliases = _names(group)
    return replace(
        first,
        rule=rule,
        aliases=aliases,
        message=next((one.message for one in group if one.message), ""),
        tool_version=next((one.tool_version for one in group if one.tool_version), None),
        severity=_severity([one.severity for one in group]),
        cwes=cwe.joined(one.cwes for one in group),
        location=_location([one.location for one in group if one.location]),
        package=_package([one.package for one in group if one.package]),
        http=next((one.http for one in group if one.http), None),
        resource=next((one.resource for one in group if one.resource), None),
        fix=_fix(group),
        occurrences=tuple(sorted({o for one in group for o in one.occurrences}, key=_occurrence)),
        warnings=tuple(sorted({text for one in group for text in one.warnings})),
    )


def _alone(finding: Finding) -> Finding:
    """A finding that nothing else tells of; only its lists are put in order."""
    if not finding.aliases and len(finding.warnings) < 2:
        return finding
    return replace(finding, aliases=_names([finding])[1], warnings=tuple(sorted(set(finding.warnings))))


def _occurrence(value: object) -> str:
    return repr(value)


def _names(group: list[Finding]) -> tuple[str, tuple[str, ...]]:
    every = {name for one in group for name in (one.rule, *one.aliases)}
    if len({one.rule for one in group}) > 1:
        return advisory.preferred(every)
    return group[0].rule, tuple(sorted(every - {group[0].rule}, key=advisory.rank))


def _severity(found: list[Severity]) -> Severity:
    best = next((one for one in found if one.level != "unknown"), found[0])
    scored = next((one for one in found if one.score is not None), None)
    if best.score is None and scored:
        best = replace(best, score=scored.score, origin=scored.origin)
    return best


def _location(found: list[Location]) -> Location | None:
    if not found:
        return None
    first = found[0]
    columns = next(((one.start_column, one.end_column) for one in found if one.start_column), (None, None))
    snippet = next((one.snippet for one in found if _code(one)), first.snippet)
    if first.start_column is None:
        first = replace(first, start_column=columns[0], end_column=columns[1])
    return replace(first, snippet=snippet)


def _package(found: list[Package]) -> Package | None:
    if not found:
        return None
    first = found[0]
    return replace(
        first,
        ecosystem=next((one.ecosystem for one in found if one.ecosystem), None),
        purl=next((one.purl for one in found if one.purl), None),
        manifest=next((one.manifest for one in found if one.manifest), None),
    )


def _fix(group: list[Finding]) -> Fix:
    """The most trusted fix; of several versions the highest, since each advisory must be satisfied."""
    ordered = sorted((one.fix for one in group), key=lambda fix: PROVENANCES.index(fix.provenance))
    best = ordered[0]
    filled = replace(
        best,
        advice=next((fix.advice for fix in ordered if fix.advice), None),
        link=next((fix.link for fix in ordered if fix.link), None),
    )
    named = {fix.version for fix in ordered if fix.version}
    if best.provenance != "version" or len(named) < 2:
        return filled
    kind = next((one.package.ecosystem for one in group if one.package and one.package.ecosystem), None)
    chosen = versions.highest(kind, named) or str(best.version)
    every = {version for fix in ordered for version in (fix.version, *fix.alternatives) if version}
    return replace(filled, version=chosen, alternatives=tuple(sorted(every - {chosen})))


# Fingerprints.


def _fingerprinted(findings: list[Finding]) -> Iterator[Finding]:
    """Equal code at several places of one file is numbered in order, so a shifted line keeps its number."""
    same: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        same[_identity(finding)].append(finding)
    for identity, group in same.items():
        for number, finding in enumerate(sorted(group, key=_spot_order) if len(group) > 1 else group):
            parts = (*identity, str(number)) if number else identity
            digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
            yield replace(finding, fingerprint=digest[:32])


def _spot_order(finding: Finding) -> tuple[int, int, str]:
    place = finding.location or Location("")
    return place.start_line or 0, place.start_column or 0, finding.message + repr(finding)


def _identity(finding: Finding) -> tuple[str, ...]:
    if finding.package:
        return ("package", *_package_key(finding), finding.rule)
    place = finding.location
    code = _code(place) if place and place.start_line else ""
    if place and code:
        return "code", finding.tool, finding.rule, _plain_path(place.path), code, finding.resource or ""
    return ("place", *_place_key(finding))
