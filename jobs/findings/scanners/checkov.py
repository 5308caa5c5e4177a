"""Checkov's reports: one framework's object, a list of them, the bare summary, and its SARIF."""

from __future__ import annotations

from collections import Counter
from typing import Any

from jobs.findings.model import coerce, packages, severity, versions
from jobs.findings.model.finding import Finding, Fix, Location, Package
from jobs.findings.model.structs import replace
from jobs.findings.scanners.reading import ReportReading
from jobs.findings.scanners.sarif import SarifResult, generic_finding
from jobs.findings.scanners.scanner import Scanner

_SAMPLE = 100  # frameworks that are looked at to tell the tool


def is_report(document: Any) -> bool:
    """Whether a JSON document is Checkov's."""
    if coerce.is_list(document):
        listed = coerce.first_mappings(document, _SAMPLE)
        return any(_is_framework(entry) or _is_summary(entry) for entry in listed)
    return _is_framework(document) or _is_summary(document)


def _is_framework(value: Any) -> bool:
    if not isinstance(value, dict) or "results" not in value:
        return False
    return "check_type" in value or coerce.is_list(coerce.dig(value, "results", "failed_checks"))


def _is_summary(value: Any) -> bool:
    """What Checkov prints when it found nothing to scan."""
    keys = {str(key).replace("_", "") for key in value} if isinstance(value, dict) else set()
    told = "resourcecount" in keys or "checkovversion" in keys
    return {"passed", "failed"} <= keys and told and "results" not in keys


def read(document: Any, reading: ReportReading) -> None:
    """Read every framework's failed checks."""
    listed = coerce.is_list(document)
    for pointer, framework in reading.entries(document if listed else [document], ""):
        place = pointer if listed else ""
        if _is_summary(framework):
            if coerce.number(framework.get("failed")):
                reading.warn("a summary only: the failed checks themselves are not in the file")
            continue
        if not _is_framework(framework):
            reading.skip(place, "not a framework's object")
            continue
        _framework(framework, place, reading)


def _framework(framework: dict[str, Any], place: str, reading: ReportReading) -> None:
    version = coerce.text(coerce.dig(framework, "summary", "checkov_version"))
    failed = coerce.dig(framework, "results", "failed_checks")
    for pointer, record in reading.entries(failed, f"{place}/results/failed_checks"):
        reading.record(pointer, _check, record, version)
    if errors := coerce.items(coerce.dig(framework, "results", "parsing_errors")):
        reading.warn(f"Checkov could not parse {len(errors)} files")


def _check(record: dict[str, Any], version: str | None) -> Finding:
    rule = coerce.text(record["check_id"])
    if rule is None:
        raise ValueError("a check without a check_id")
    name = coerce.text(record.get("check_name")) or rule
    details = "\n".join(coerce.texts(record.get("details")))
    message = coerce.text(record.get("description")) or details or name
    other = coerce.text(record.get("bc_check_id"))
    finding = Finding(
        fingerprint="",
        tool="checkov",
        format="json",
        rule=rule,
        title=coerce.first_line(name),
        message=message,
        tool_version=version,
        aliases=(other,) if other and other != rule else (),
        severity=severity.build(coerce.text(record.get("severity"))),
        location=_location(record),
        resource=coerce.text(record.get("resource")),
        fix=_fix(record),
    )
    return _with_package(finding, coerce.mapping(record.get("vulnerability_details")))


def _location(record: dict[str, Any]) -> Location | None:
    path = _path(record)
    if path is None:
        return None
    span = [coerce.line(entry) for entry in coerce.items(record.get("file_line_range"))]
    start, end = span if len(span) == 2 else (None, None)
    lines = []
    for entry in coerce.items(record.get("code_block")):
        if (
            coerce.is_list(entry)
            and len(entry) == 2
            and isinstance(entry[1], str)
            and (n := coerce.line(entry[0]))
        ):
            code = entry[1].rstrip("\r\n")
            lines.append((n, coerce.text(code) or code))
    valid = start is not None and end is not None and start <= end
    return Location(path, start, end, valid=valid, snippet=tuple(lines) if valid else ())


def _path(record: dict[str, Any]) -> str | None:
    """The path from the repository's root (as the SARIF has it), else from the scanned folder."""
    for key in ("repo_file_path", "file_path"):
        path = (coerce.text(record.get(key)) or "").replace("\\", "/").lstrip("/")
        if path and not path.startswith("../"):
            return path
    return coerce.text(record.get("file_path"))


def _fix(record: dict[str, Any]) -> Fix:
    link = coerce.text(record.get("guideline"))
    edit = _fixed_definition(record)
    if edit is not None:
        return Fix("edit_untrusted", edit=edit, link=link)
    return Fix("link" if link else "none", link=link)


def _fixed_definition(record: dict[str, Any]) -> str | None:
    """Checkov's rewritten resource, only where it names the failing one and its brackets close."""
    edit, names = (
        coerce.text(record.get("fixed_definition")),
        (coerce.text(record.get("resource")) or "").split("."),
    )
    if edit is None or len(names) < 2:
        return None
    counts = Counter(edit)
    closed = all(counts[left] == counts[right] for left, right in ("{}", "[]", "()"))
    return edit if closed and all(name in edit for name in names[-2:]) else None


def _with_package(finding: Finding, details: dict[str, Any]) -> Finding:
    """The package scan's checks are advisories, not places in code."""
    name = coerce.text(details.get("package_name"))
    if name is None:
        return finding
    manifest = finding.location.path if finding.location else None
    kind = packages.purl_type(coerce.text(details.get("package_type"))) or packages.type_of_manifest(manifest)
    installed, rule = (
        coerce.text(details.get("package_version")),
        coerce.text(details.get("id")) or finding.rule,
    )
    package = Package(name, installed, kind, packages.make_purl(kind, name, installed), manifest)
    stated = [
        coerce.text(details.get("lowest_fixed_version")),
        coerce.text(details.get("fix_version")),
    ]
    fixed = [*coerce.texts(details.get("fixed_versions")), *(entry for entry in stated if entry)]
    choice = versions.choose(
        kind, installed, [version for entry in fixed for version in versions.candidates(entry)]
    )
    link = coerce.text(details.get("link")) or finding.fix.link
    fix = Fix("link" if link else "none", link=link)
    if choice:
        fix = Fix("version", version=choice.version, alternatives=choice.alternatives, link=link)
    level = severity.build(
        coerce.text(details.get("severity")) or finding.severity.raw,
        coerce.number(details.get("cvss")),
    )
    names = tuple(sorted({finding.rule, *finding.aliases} - {rule}))
    # The finding's own id is one per kind of package, not one per advisory: it is no alias of it.
    kept = () if rule != finding.rule else names
    return replace(finding, rule=rule, aliases=kept, location=None, package=package, fix=fix, severity=level)


def from_sarif(result: SarifResult) -> Finding:
    """A finding out of Checkov's SARIF; its columns are invented and its description stands in the rule."""
    place = result.locations[0] if result.locations else None
    if place:
        place = replace(place, path=place.path.lstrip("/"), start_column=None, end_column=None)
    short = coerce.text(coerce.dig(result.rule, "shortDescription", "text"))
    title = coerce.first_line(short or result.message or result.about.described) or result.rule_id
    return generic_finding(result, "checkov", title=title, location=place)


def _is_driver(name: str) -> bool:
    return name.lower().startswith(("checkov", "bridgecrew"))


SCANNER = Scanner("checkov", is_report, read, _is_driver, from_sarif)
