"""A group of findings of one problem as one finding, with the richest of each field."""

from __future__ import annotations

from jobs.findings.merge.keys import reported_code
from jobs.findings.merge.ranking import rank
from jobs.findings.model import advisory, cwe, versions
from jobs.findings.model.finding import PROVENANCES, Finding, Fix, Location, Package, Severity
from jobs.findings.model.structs import replace


def join(group: list[Finding]) -> Finding:
    """The one finding that says all that the findings of a group say."""
    if len(group) == 1:
        return _ordered_singleton(group[0])
    group = rank(group)
    rule, aliases = _names(group)
    return replace(
        group[0],
        rule=rule,
        aliases=aliases,
        message=next((finding.message for finding in group if finding.message), ""),
        tool_version=next((finding.tool_version for finding in group if finding.tool_version), None),
        severity=_severity([finding.severity for finding in group]),
        cwes=cwe.unite(finding.cwes for finding in group),
        location=_location([finding.location for finding in group if finding.location]),
        package=_package([finding.package for finding in group if finding.package]),
        http=next((finding.http for finding in group if finding.http), None),
        resource=next((finding.resource for finding in group if finding.resource), None),
        fix=_fix(group),
        occurrences=tuple(sorted({entry for finding in group for entry in finding.occurrences}, key=repr)),
        warnings=tuple(sorted({text for finding in group for text in finding.warnings})),
    )


def _ordered_singleton(finding: Finding) -> Finding:
    """A finding that nothing else tells of; only its lists are put in order."""
    if not finding.aliases and len(finding.warnings) < 2:
        return finding
    return replace(finding, aliases=_names([finding])[1], warnings=tuple(sorted(set(finding.warnings))))


def _names(group: list[Finding]) -> tuple[str, tuple[str, ...]]:
    every = {name for finding in group for name in (finding.rule, *finding.aliases)}
    if len({finding.rule for finding in group}) > 1:
        return advisory.choose_name(every)
    return group[0].rule, tuple(sorted(every - {group[0].rule}, key=advisory.rank))


def _severity(ranked: list[Severity]) -> Severity:
    best = next((severity for severity in ranked if severity.level != "unknown"), ranked[0])
    scored = next((severity for severity in ranked if severity.score is not None), None)
    if best.score is None and scored:
        best = replace(best, score=scored.score, origin=scored.origin)
    return best


def _location(ranked: list[Location]) -> Location | None:
    if not ranked:
        return None
    first = ranked[0]
    snippet = next((where.snippet for where in ranked if reported_code(where)), first.snippet)
    if first.start_column is None:
        columned = next((where for where in ranked if where.start_column), Location(""))
        first = replace(first, start_column=columned.start_column, end_column=columned.end_column)
    return replace(first, snippet=snippet)


def _package(ranked: list[Package]) -> Package | None:
    if not ranked:
        return None
    return replace(
        ranked[0],
        ecosystem=next((package.ecosystem for package in ranked if package.ecosystem), None),
        purl=next((package.purl for package in ranked if package.purl), None),
        manifest=next((package.manifest for package in ranked if package.manifest), None),
    )


def _fix(group: list[Finding]) -> Fix:
    """The most trusted fix; of several versions the highest, since each advisory must be satisfied."""
    ordered = sorted((finding.fix for finding in group), key=lambda fix: PROVENANCES.index(fix.provenance))
    best = ordered[0]
    filled = replace(
        best,
        advice=next((fix.advice for fix in ordered if fix.advice), None),
        link=next((fix.link for fix in ordered if fix.link), None),
    )
    named = {fix.version for fix in ordered if fix.version}
    if best.provenance != "version" or len(named) < 2:
        return filled
    kinds = (finding.package.ecosystem for finding in group if finding.package)
    chosen = versions.highest(next(filter(None, kinds), None), named) or str(best.version)
    every = {version for fix in ordered for version in (fix.version, *fix.alternatives) if version}
    return replace(filled, version=chosen, alternatives=tuple(sorted(every - {chosen})))
