"""OSV-Scanner's reports: JSON with its advisories' ranges, and the tables inside its SARIF."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jobs.findings.model import advisory, coerce, cwe, packages, severity, versions
from jobs.findings.model.finding import Finding, Fix, Package, Severity
from jobs.findings.model.refusals import Left
from jobs.findings.model.structs import record
from jobs.findings.scanners.reading import ReportReading
from jobs.findings.scanners.sarif import SarifResult, generic_finding, title
from jobs.findings.scanners.scanner import Scanner

_SARIF_PACKAGE = re.compile(r"Package '(.+?)@([^@']*)' is vulnerable to '([^']+)'")
_SARIF_ALIASES = re.compile(r"\(also known as ([^)]*)\)")
_FIXED_TABLE = re.compile(r"### Fixed Versions\s+\|[^\n]*\n\|[^\n]*\n((?:\|[^\n]*(?:\n|$))+)")

_SAMPLE = 100  # results that are looked at to tell the tool


def is_report(document: Any) -> bool:
    """Whether a JSON document is OSV-Scanner's."""
    if not isinstance(document, dict) or not coerce.is_list_or_null(document.get("results")):
        return False
    if "experimental_config" in document and "results" in document:
        return True
    entries = coerce.first_mappings(document.get("results"), _SAMPLE)
    return any(
        isinstance(entry.get("source", entry.get("packageSource")), dict)
        and coerce.is_list_or_null(entry.get("packages", 0))
        for entry in entries
    )


def _source(result: Any) -> dict[str, Any]:
    """Where a result's packages were found; the first releases said `packageSource`."""
    found = coerce.mapping(result)
    return coerce.mapping(found.get("source")) or coerce.mapping(found.get("packageSource"))


def read(document: Any, reading: ReportReading) -> None:
    """Read every vulnerability of every package; the advisories of one group become one when merged."""
    for pointer, result in reading.entries(document.get("results"), "/results"):
        source = coerce.text(_source(result).get("path"))
        for place, entry in reading.entries(coerce.mapping(result).get("packages"), f"{pointer}/packages"):
            listed = coerce.mapping(entry).get("vulnerabilities")
            for spot, value in reading.entries(listed, f"{place}/vulnerabilities"):
                reading.record(spot, _vulnerability, value, entry, source)


def _vulnerability(record: dict[str, Any], entry: dict[str, Any], source: str | None) -> Finding:
    if withdrawn := coerce.text(record.get("withdrawn")):
        raise Left(f"advisory withdrawn on {withdrawn[:10]}")
    own = coerce.text(record["id"])
    if own is None:
        raise ValueError("an advisory without an id")
    subject = coerce.mapping(entry["package"] if "package" in entry else entry["Package"])
    found = _package(subject, source)
    group = _group(own, entry)
    members = {
        own,
        *coerce.texts(record.get("aliases")),
        *coerce.texts(group.get("ids")),
        *coerce.texts(group.get("aliases")),
    }
    rule, aliases = advisory.choose_name(members)
    details = coerce.text(record.get("details")) or ""
    return Finding(
        fingerprint="",
        tool="osv",
        format="json",
        rule=rule,
        title=coerce.text(record.get("summary")) or coerce.first_line(details) or f"{rule} in {found.name}",
        message=details,
        aliases=aliases,
        severity=_severity(record, group),
        cwes=_cwes(record),
        package=found,
        fix=_fix(record, subject, found),
    )


def _package(value: dict[str, Any], source: str | None) -> Package:
    name, installed = coerce.text(value["name"]), coerce.text(value.get("version"))
    if name is None:
        raise ValueError("a package without a name")
    word = coerce.text(value.get("ecosystem"))
    kind = packages.purl_type(word)
    distro = (word or "").split(":")[0].lower()
    purl = packages.make_purl(kind, name, installed, namespace=distro.replace(" ", "-"))
    return Package(name=name, version=installed, ecosystem=kind, purl=purl, manifest=source)


def _group(own: str, entry: dict[str, Any]) -> dict[str, Any]:
    for group in coerce.mappings(entry.get("groups")):
        if own in coerce.texts(group.get("ids")):
            return group
    return {}


def _severity(record: dict[str, Any], group: dict[str, Any]) -> Severity:
    word = coerce.text(coerce.dig(record, "database_specific", "severity"))
    if word is None:
        urgency = coerce.text(
            coerce.dig(
                next(iter(coerce.items(record.get("affected"))), None), "ecosystem_specific", "urgency"
            )
        )
        word = urgency if severity.level_of_word(urgency) != "unknown" else None
    scores = _scores_by_version(record)
    highest = coerce.number(group.get("max_severity"))
    # CVSS 3 first, as in the other tools' reports; the group's number may come from any version.
    if 3 in scores or (scores and highest is None):
        return severity.build(word, scores.get(3, scores.get(4, scores.get(2))), "CVSS vector")
    return severity.build(word, highest, "max_severity" if group.get("max_severity") else None)


def _scores_by_version(record: dict[str, Any]) -> dict[int, float]:
    """The highest score of an advisory's CVSS vectors, of each version that it has one of."""
    found: dict[int, float] = {}
    for vector in coerce.texts([item.get("score") for item in coerce.mappings(record.get("severity"))]):
        score = severity.score_of_vector(vector)
        if score is not None:
            version = severity.version_of_vector(vector)
            found[version] = max(score, found.get(version, score))
    return found


def _cwes(record: dict[str, Any]) -> tuple[str, ...]:
    affected = [
        coerce.dig(item, "database_specific", "cwes") for item in coerce.items(record.get("affected"))
    ]
    return cwe.of(coerce.dig(record, "database_specific", "cwe_ids"), *affected)


@record(frozen=True, slots=True)
class Interval:
    """A half-open range of vulnerable versions; `fixed` is None where the range has no fixed end."""

    introduced: str
    fixed: str | None
    last_affected: str | None = None


def _fix(record: dict[str, Any], package: dict[str, Any], found: Package) -> Fix:
    link = _link(record)
    ecosystem = coerce.text(package.get("ecosystem")) or ""
    upgrade = _upgrade(found.ecosystem, found.version, tuple(intervals(record, found, ecosystem)))
    if upgrade is None:
        return Fix("link" if link else "none", link=link)
    return Fix("version", version=upgrade.version, alternatives=upgrade.alternatives, link=link)


@lru_cache(maxsize=4096)  # one advisory stands in a report once per lock file that has the package
def _upgrade(kind: str | None, installed: str | None, known: tuple[Interval, ...]) -> versions.Choice | None:
    """The fixed end of the interval that holds the installed version; every other fixed version is kept."""
    fixed = [item.fixed for item in known if item.fixed]
    holding = [item.fixed for item in known if item.fixed and _holds(item, kind, installed or "")]
    chosen = versions.choose(kind, installed, holding)
    if chosen is None or fixed == holding:
        return chosen
    every = versions.choose(kind, installed, fixed)
    others = () if every is None else (every.version, *every.alternatives)
    return versions.Choice(chosen.version, tuple(one for one in others if one != chosen.version))


def _link(record: dict[str, Any]) -> str | None:
    references = coerce.mappings(record.get("references"))
    for kind in ("ADVISORY", "FIX", "WEB"):
        for reference in references:
            if reference.get("type") == kind and (url := coerce.text(reference.get("url"))):
                return url
    return None


def intervals(record: dict[str, Any], package: Package, ecosystem: str) -> Iterator[Interval]:
    """The vulnerable intervals of one package in an advisory that may list many packages.

    Args:
        record: An OSV record (`affected[].ranges[].events[]`).
        package: The package asked about.
        ecosystem: Its ecosystem in OSV's words, with its release ("Debian:12").

    Yields:
        Intervals in ascending order per range; GIT ranges hold commits and are left out.
    """
    wanted = packages.plain_name(package.ecosystem, package.name)
    for affected in coerce.mappings(record.get("affected")):
        subject = coerce.mapping(affected.get("package"))
        name, place = (
            coerce.text(subject.get("name")) or "",
            coerce.text(subject.get("ecosystem")) or "",
        )
        if packages.plain_name(package.ecosystem, name) != wanted or not _same_ecosystem(place, ecosystem):
            continue
        for listed in coerce.mappings(affected.get("ranges")):
            if listed.get("type") != "GIT":
                events = coerce.mappings(listed.get("events"))
                stated = (_texts_of(events, name) for name in ("introduced", "fixed", "last_affected"))
                yield from _pair_intervals(package.ecosystem, *stated)


@lru_cache(maxsize=4096)
def _same_ecosystem(first: str, second: str) -> bool:
    left, right = first.lower(), second.lower()
    if left == right:
        return True
    bare = ":" not in left or ":" not in right  # "Debian" speaks of every release
    return bare and left.split(":")[0] == right.split(":")[0]


_Versions = tuple[str, ...]


def _texts_of(events: list[dict[str, Any]], name: str) -> _Versions:
    return tuple(
        [found for event in events if name in event and (found := coerce.text(event[name])) is not None]
    )


@lru_cache(maxsize=4096)
def _pair_intervals(
    ecosystem: str | None, starts: _Versions, ends: _Versions, lasts: _Versions
) -> tuple[Interval, ...]:
    """Events stand in pairs, but in no order that the format promises."""
    found = []
    for start in starts:
        last = _nearest(ecosystem, start, lasts, inclusive=True) if lasts else None
        end = _nearest(ecosystem, start, ends, inclusive=False) if ends else None
        others = tuple(other for other in starts if other != start) if len(starts) > 1 else ()
        following = _nearest(ecosystem, start, others, inclusive=False) if others else None
        if end and following and versions.at_most(ecosystem, end, following) is False:
            end = None  # the nearest fix belongs to a later interval
        if end and last and versions.at_most(ecosystem, last, end):
            end = None
        found.append(Interval(start, end, last))
    return tuple(found)


def _nearest(ecosystem: str | None, start: str, others: _Versions, *, inclusive: bool) -> str | None:
    if inclusive and start in others:
        return start
    if start == "0":
        keyed = [other for other in others if versions.key(ecosystem, other) is not None]
        if len(keyed) < 2:
            return keyed[0] if keyed else None
        return next(
            (low for low in keyed if all(versions.at_most(ecosystem, low, other) for other in keyed)), None
        )
    return versions.nearest(ecosystem, start, others)


def _holds(interval: Interval, kind: str | None, installed: str) -> bool:
    if interval.introduced != "0" and not versions.at_most(kind, interval.introduced, installed):
        return False
    return interval.fixed is not None and versions.at_most(kind, interval.fixed, installed) is False


def from_sarif(result: SarifResult) -> Finding:
    """A finding out of OSV-Scanner's SARIF: package in the message, fixed versions in the rule's table."""
    match = _SARIF_PACKAGE.search(result.message)
    if match is None:
        return generic_finding(result, "osv")
    name, installed = match[1], match[2] or None
    manifest = result.locations[0].path if result.locations else None
    kind = packages.type_of_manifest(manifest)
    found = Package(name, installed, kind, packages.make_purl(kind, name, installed), manifest)
    also = _SARIF_ALIASES.search(result.message)
    named = re.findall(r"'([^']+)'", also[1]) if also else []
    members = {result.rule_id, match[3], *named, *coerce.texts(result.rule.get("deprecatedIds"))}
    rule, aliases = advisory.choose_name(members)
    text = coerce.text(coerce.dig(result.rule, "fullDescription", "text")) or result.message
    return generic_finding(
        result,
        "osv",
        rule=rule,
        aliases=aliases,
        title=title(result).removeprefix(f"{result.rule_id}: "),
        message=text,
        location=None,
        package=found,
        fix=_table_fix(result.rule, found),
    )


def _table_fix(rule: dict[str, Any], package: Package) -> Fix:
    table = _FIXED_TABLE.search(coerce.text(coerce.dig(rule, "help", "text")) or "")
    fixed = []
    for row in (table[1] if table else "").splitlines():
        cells = [cell.strip() for cell in row.strip().strip("|").split("|")]
        if len(cells) == 3 and packages.same_name(package.ecosystem, cells[1], package.name):
            fixed.append(cells[2])
    choice = versions.choose(package.ecosystem, package.version, fixed)
    if choice is None:
        return Fix()
    return Fix("version", version=choice.version, alternatives=choice.alternatives)


def _is_driver(name: str) -> bool:
    return name.lower().replace("_", "-") in {"osv-scanner", "osvscanner", "osv scanner"}


SCANNER = Scanner("osv", is_report, read, _is_driver, from_sarif)
