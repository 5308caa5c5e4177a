"""Semgrep's reports: JSON of the command line, the platform's supply-chain list, and its SARIF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jobs.findings.model import advisory, coerce, cwe, packages, severity, versions
from jobs.findings.model.finding import Finding, Fix, Location, Package
from jobs.findings.model.refusals import Left
from jobs.findings.model.structs import replace
from jobs.findings.scanners.reading import ReportReading
from jobs.findings.scanners.sarif import SarifResult, generic_finding
from jobs.findings.scanners.scanner import Scanner

# Since 1.100, without a login, this stands in place of the code and the fingerprint.
WITHHELD = "requires login"
_SAMPLE = 100  # results that are looked at to tell the tool


def is_report(document: Any) -> bool:
    """Whether a JSON document is Semgrep's."""
    if not isinstance(document, dict):
        return False
    if coerce.is_list(document.get("vulns")):
        return _is_platform(document["vulns"], document)
    results = document.get("results")
    if not coerce.is_list(results):
        return False
    if not results:
        told = coerce.is_list(document.get("errors")) or isinstance(document.get("paths"), dict)
        return told and not {"generated_at", "metrics"} & document.keys()
    # Nobody else writes a `check_id` beside `extra`: a few damaged entries among many do not matter.
    listed = results[:_SAMPLE]
    named = [entry for entry in coerce.mappings(listed) if {"check_id", "path", "extra"} <= entry.keys()]
    return len(named) == len(listed) or (bool(named) and coerce.is_list(document.get("errors")))


def _is_platform(vulns: Sequence[Any], document: dict[str, Any]) -> bool:
    if vulns:
        listed = coerce.first_mappings(vulns, _SAMPLE)
        return any("advisory" in entry and "matchedDependency" in entry for entry in listed)
    return "hasMore" in document or "cursor" in document


def read(document: Any, reading: ReportReading) -> None:
    """Read the command line's `results` or the platform's `vulns`."""
    if coerce.is_list(document.get("vulns")):
        for pointer, record in reading.entries(document["vulns"], "/vulns"):
            reading.record(pointer, _vulnerability, record)
        return
    version = coerce.text(document.get("version"))
    for pointer, record in reading.entries(document.get("results"), "/results"):
        reading.record(pointer, _result, record, version)
    if errors := coerce.items(document.get("errors")):
        reading.warn(f"the scan itself reported {len(errors)} errors")


def _result(record: dict[str, Any], version: str | None) -> Finding:
    extra = coerce.mapping(record["extra"])
    if extra.get("is_ignored") is True:
        raise Left("suppressed (nosemgrep)")
    rule, path = coerce.text(record["check_id"]), coerce.text(record["path"])
    if rule is None or path is None:
        raise ValueError("check_id or path is empty")
    metadata, message = (
        coerce.mapping(extra.get("metadata")),
        coerce.text(extra.get("message")) or "",
    )
    place = _location(path, record, extra)
    finding = Finding(
        fingerprint="",
        tool="semgrep",
        format="json",
        rule=rule,
        title=coerce.first_line(message) or rule,
        message=message,
        tool_version=version,
        severity=severity.build(coerce.text(extra.get("severity"))),
        cwes=cwe.of(metadata.get("cwe"), metadata.get("cwe-id")),
        location=place,
        fix=_fix(extra, metadata, message, place),
        warnings=("the code was withheld (requires login)",) if extra.get("lines") == WITHHELD else (),
    )
    return _with_package(finding, extra, metadata)


def _location(path: str, record: dict[str, Any], extra: dict[str, Any]) -> Location:
    start, end = coerce.mapping(record.get("start")), coerce.mapping(record.get("end"))
    first, last = coerce.line(start.get("line")), coerce.line(end.get("line"))
    code = extra.get("lines")
    lines: tuple[tuple[int, str], ...] = ()
    if isinstance(code, str) and code.strip() not in ("", WITHHELD) and first:
        lines = tuple(
            (number, coerce.text(entry) or entry) for number, entry in coerce.code_lines(code, first)
        )
    columns = coerce.line(start.get("col")), coerce.line(end.get("col"))
    valid = first is not None and (last is None or last >= first)
    return Location(path, first, last, *columns, valid=valid, snippet=lines)


def _fix(extra: dict[str, Any], metadata: dict[str, Any], message: str, place: Location) -> Fix:
    link = next(
        iter((*coerce.texts(metadata.get("references")), *coerce.texts(metadata.get("source")))),
        None,
    )
    edit = extra.get("fix")
    if not isinstance(edit, str):
        edit = _edit_of_fixed_lines(extra, place)
    usable = place.valid and place.start_column and place.end_column and place.end_line
    if isinstance(edit, str) and usable and edit.strip() != WITHHELD:
        clean = edit if not edit.strip() else coerce.text(edit)
        return Fix("edit_tool", edit=clean, advice=message or None, link=link)
    return Fix("advice" if message else "link" if link else "none", advice=message or None, link=link)


def _edit_of_fixed_lines(extra: dict[str, Any], place: Location) -> str | None:
    """What `fixed_lines` (whole lines, of a `fix-regex` rule) puts in place of exactly start..end."""
    fixed = extra.get("fixed_lines")
    if not coerce.is_list(fixed) or not all(isinstance(entry, str) for entry in fixed):
        return None
    if not (place.snippet and place.start_column and place.end_column and place.end_line):
        return None
    if len(place.snippet) != place.end_line - (place.start_line or 0) + 1:
        return None
    before = place.snippet[0][1][: place.start_column - 1]
    after = place.snippet[-1][1][place.end_column - 1 :]
    whole = "\n".join(fixed)
    if len(whole) < len(before) + len(after) or not (whole.startswith(before) and whole.endswith(after)):
        return None  # the fix reaches outside the reported region
    return whole[len(before) : len(whole) - len(after)]


def _with_package(finding: Finding, extra: dict[str, Any], metadata: dict[str, Any]) -> Finding:
    """Supply-chain rules name the dependency they matched."""
    found = coerce.mapping(coerce.dig(extra, "sca_info", "dependency_match", "found_dependency"))
    name = coerce.text(found.get("package"))
    if name is None:
        return finding
    kind = packages.purl_type(coerce.text(found.get("ecosystem")))
    installed = coerce.text(found.get("version"))
    manifest = coerce.text(found.get("lockfile_path")) or (
        finding.location.path if finding.location else None
    )
    package = Package(name, installed, kind, packages.make_purl(kind, name, installed), manifest)
    fixed = [
        version
        for entry in coerce.mappings(metadata.get("sca-fix-versions"))
        for key, version in entry.items()
        if isinstance(version, str) and packages.same_name(kind, key, name)
    ]
    aliases = coerce.texts(metadata.get("sca-vuln-database-identifier"))
    return replace(finding, package=package, aliases=aliases, fix=_upgrade(package, fixed, finding.fix))


def _upgrade(package: Package, fixed: list[str], otherwise: Fix) -> Fix:
    choice = versions.choose(package.ecosystem, package.version, fixed)
    if choice is None:
        return otherwise
    return replace(
        otherwise, provenance="version", version=choice.version, alternatives=choice.alternatives, edit=None
    )


def _vulnerability(record: dict[str, Any]) -> Finding:
    """One entry of the platform's supply-chain list."""
    about = coerce.mapping(record["advisory"])
    matched = coerce.mapping(record["matchedDependency"])
    name, installed = coerce.text(matched["name"]), coerce.text(matched.get("versionSpecifier"))
    identifiers = [
        *coerce.texts(coerce.dig(about, "references", "cveIds")),
        *coerce.texts(about.get("ruleId")),
    ]
    if name is None:
        raise ValueError("matchedDependency has no name")
    rule, aliases = advisory.choose_name(identifiers)
    manifest = coerce.text(coerce.dig(record, "dependencyFileLocation", "path"))
    # The advisory's own ecosystem may be another one's: a gRPC advisory says "gem" of a pip requirement.
    kind = packages.type_of_manifest(manifest) or packages.purl_type(coerce.text(about.get("ecosystem")))
    package = Package(name, installed, kind, packages.make_purl(kind, name, installed), manifest)
    description = coerce.text(about.get("description")) or ""
    link = next(iter(coerce.texts(coerce.dig(about, "references", "urls"))), None)
    safe = [record.get("closestSafeDependency"), *coerce.items(about.get("safeDependencies"))]
    fixed = [
        version
        for entry in coerce.mappings(safe)
        if packages.same_name(kind, coerce.text(entry.get("name")) or "", name)
        and (version := coerce.text(entry.get("versionSpecifier")))
    ]
    otherwise = Fix("link" if link else "none", link=link)
    return Finding(
        fingerprint="",
        tool="semgrep",
        format="json",
        rule=rule,
        title=coerce.text(record.get("title")) or coerce.text(about.get("title")) or rule,
        message=description,
        aliases=aliases,
        severity=severity.build(coerce.text(about.get("severity"))),
        cwes=cwe.of(coerce.dig(about, "references", "cweIds")),
        package=package,
        fix=_upgrade(package, fixed, otherwise),
    )


def from_sarif(result: SarifResult) -> Finding:
    """A finding out of Semgrep's SARIF.

    Its `fixes` are wrong as literal edits (a part-line region with whole-line text) and are left out;
    the exact edit stands in the JSON of the same scan.
    """
    place = result.locations[0] if result.locations else None
    if place and any(entry.strip() == WITHHELD for _, entry in place.snippet):
        place = replace(place, snippet=())
    message, link = result.message or result.about.described, result.fix.link
    fix = Fix("advice" if message else "link" if link else "none", advice=message or None, link=link)
    title = coerce.first_line(message) or result.rule_id
    return generic_finding(result, "semgrep", title=title, location=place, fix=fix)


def _is_driver(name: str) -> bool:
    return name.lower().startswith("semgrep")


SCANNER = Scanner("semgrep", is_report, read, _is_driver, from_sarif)
