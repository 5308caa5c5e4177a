"""Trivy's reports: JSON (schema 2, the old list, Kubernetes) and what stands in its SARIF messages."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from jobs.findings.model import coerce, cwe, packages, severity, versions
from jobs.findings.model.finding import Finding, Fix, Location, Package, Severity
from jobs.findings.scanners.reading import ReportReading
from jobs.findings.scanners.sarif import SarifResult, generic_finding
from jobs.findings.scanners.scanner import Scanner

_KUBERNETES = ("Resources", "Vulnerabilities", "Misconfigurations", "Findings")
# Targets that gather the packages found one by one in an image; the path stands in each record.
_COLLECTIVE = {"Java", "Node.js", "Python", "Ruby", "Conda", "C/C++", "Julia"}
_OS_VERSIONS = (
    (re.compile(r"-r\d+$"), "apk"),
    (re.compile(r"\.(el|fc|amzn|cm|azl|ph|oe|mga)\d|lp\d{3}\."), "rpm"),
    (re.compile(r"ubuntu|[+~]deb|[+.]dfsg|build\d+$"), "deb"),
)
_SAMPLE = 100  # results that are looked at to tell the tool
_NO_FIX = {"will_not_fix", "end_of_life", "fix_deferred"}
_CHECK = re.compile(r"(?:AVD-)?([A-Z]{2,})-?0*(\d+)", re.IGNORECASE)
_SARIF_FIELDS = {"Package", "Installed Version", "Fixed Version", "Severity"}
_SARIF_LINK = re.compile(r"^Link: \[[^\]]*\]\((\S+)\)", re.MULTILINE)
_OLD_RULE = re.compile(r"\[[A-Z]+\] (?=\S)")  # 0.10 wrote "[MEDIUM] CVE-2019-1549"


def is_report(document: Any) -> bool:
    """Whether a JSON document is a Trivy report."""
    if coerce.is_list(document):
        return any("Target" in entry for entry in coerce.first_mappings(document, _SAMPLE))
    if not isinstance(document, dict):
        return False
    if "ClusterName" in document:
        return any(key in document for key in _KUBERNETES)
    if "SchemaVersion" in document:
        return any(key in document for key in ("ArtifactName", "ArtifactType", "Results"))
    return any("Target" in entry for entry in coerce.first_mappings(document.get("Results"), _SAMPLE))


def read(document: Any, reading: ReportReading) -> None:
    """Read a report of any of Trivy's JSON shapes."""
    if coerce.is_list(document):
        _results(document, "", None, reading)
        return
    version = coerce.text(coerce.dig(document, "Trivy", "Version"))
    if "ClusterName" not in document:
        _results(document.get("Results"), "/Results", version, reading)
        return
    for key in _KUBERNETES:
        for pointer, resource in reading.entries(document.get(key), f"/{key}"):
            _results(coerce.mapping(resource).get("Results"), f"{pointer}/Results", version, reading)


def _results(results: Any, pointer: str, version: str | None, reading: ReportReading) -> None:
    for place, result in reading.entries(results, pointer):
        if not isinstance(result, dict):
            reading.skip(place, "a result was expected to be an object")
            continue
        for key, build in _RECORDS.items():
            for spot, record in reading.entries(result.get(key), f"{place}/{key}"):
                if key == "Misconfigurations" and (coerce.mapping(record).get("Status") or "FAIL") != "FAIL":
                    continue  # passed checks and exceptions are not counted by rule T1
                reading.record(spot, build, record, result, version)


def _vulnerability(record: dict[str, Any], result: dict[str, Any], version: str | None) -> Finding:
    found = package(record, result)
    rule = str(coerce.text(record["VulnerabilityID"]))
    message = coerce.text(record.get("Description")) or ""
    return Finding(
        fingerprint="",
        tool="trivy",
        format="json",
        rule=rule,
        title=coerce.text(record.get("Title")) or coerce.first_line(message) or f"{rule} in {found.name}",
        message=message,
        tool_version=version,
        severity=_severity(record),
        cwes=cwe.of(record.get("CweIDs")),
        package=found,
        fix=_version_fix(found, record),
    )


def package(record: dict[str, Any], result: dict[str, Any]) -> Package:
    """The package of a vulnerability; a purl knows its ecosystem better than the target's type."""
    name = coerce.text(record["PkgName"])
    if name is None:
        raise ValueError("PkgName is empty")
    installed = coerce.text(record.get("InstalledVersion"))
    purl = coerce.text(coerce.dig(record, "PkgIdentifier", "PURL")) or coerce.text(
        record.get("PkgRef") or record.get("Ref")
    )
    word = coerce.text(result.get("Type"))
    manifest = coerce.text(result.get("Target"))
    word = word or packages.distro(manifest)
    kind = packages.type_of_purl(purl) or packages.purl_type(word) or packages.type_of_manifest(manifest)
    if packages.type_of_purl(purl) is None:
        purl = packages.make_purl(kind, name, installed, namespace=(word or "").lower().split(".")[0])
    if manifest in _COLLECTIVE:
        manifest = coerce.text(record.get("PkgPath")) or manifest
    return Package(name=name, version=installed, ecosystem=kind, purl=purl, manifest=manifest)


def _version_fix(found: Package, record: dict[str, Any]) -> Fix:
    status, link = coerce.text(record.get("Status")), coerce.text(record.get("PrimaryURL"))
    if status in _NO_FIX:
        return Fix(advice=f"There is no fixed version: {status}.", link=link)
    return _choose_fix(found, coerce.text(record.get("FixedVersion")), link)


def _choose_fix(found: Package, fixed: str | None, link: str | None) -> Fix:
    choice = versions.choose(found.ecosystem, found.version, versions.candidates(fixed)) if fixed else None
    if choice:
        return Fix("version", version=choice.version, alternatives=choice.alternatives, link=link)
    advice = (
        f"The report names {fixed} as fixed; it is not provably above the installed one." if fixed else None
    )
    return Fix("link" if link else "none", advice=advice, link=link)


def _severity(record: dict[str, Any]) -> Severity:
    source = coerce.text(record.get("SeveritySource"))
    scores = coerce.mapping(record.get("CVSS"))
    order = [name for name in (source, "nvd", "ghsa", *sorted(scores)) if name in scores]
    for name in order:
        for key in ("V3Score", "V40Score", "V2Score"):
            score = coerce.number(coerce.dig(scores, name, key))
            if score is not None:
                return severity.build(coerce.text(record.get("Severity")), score, name)
    return severity.build(coerce.text(record.get("Severity")), None, source)


@lru_cache(maxsize=4096)
def check_id(raw: str) -> str:
    """One spelling for a check's three: DS002, DS-0002, AVD-DS-0002."""
    match = _CHECK.fullmatch(raw)
    return f"AVD-{match[1].upper()}-{int(match[2]):04d}" if match and len(match[2]) < 9 else raw


def _misconfiguration(record: dict[str, Any], result: dict[str, Any], version: str | None) -> Finding:
    raw = coerce.text(record.get("AVDID")) or coerce.text(record["ID"])
    if raw is None:
        raise ValueError("a misconfiguration without an ID")
    rule, link = check_id(raw), coerce.text(record.get("PrimaryURL"))
    advice = coerce.text(record.get("Resolution"))
    names = {raw, *coerce.texts(record.get("ID"))} - {rule}
    return Finding(
        fingerprint="",
        tool="trivy",
        format="json",
        rule=rule,
        title=coerce.text(record.get("Title")) or rule,
        message=coerce.text(record.get("Message")) or coerce.text(record.get("Description")) or "",
        tool_version=version,
        aliases=tuple(sorted(names)),
        severity=severity.build(coerce.text(record.get("Severity"))),
        cwes=cwe.of(record.get("CweIDs")),
        location=_cause(record, result),
        resource=coerce.text(coerce.dig(record, "CauseMetadata", "Resource")),
        fix=Fix("advice" if advice else "link" if link else "none", advice=advice, link=link),
    )


def _cause(record: dict[str, Any], result: dict[str, Any]) -> Location | None:
    target = coerce.text(result.get("Target"))
    if target is None:
        return None
    cause = coerce.mapping(record.get("CauseMetadata"))
    start, end = coerce.line(cause.get("StartLine")), coerce.line(cause.get("EndLine"))
    lines = []
    for entry in coerce.mappings(coerce.dig(cause, "Code", "Lines")):
        number, content = coerce.line(entry.get("Number")), entry.get("Content")
        if number and isinstance(content, str) and not entry.get("Truncated"):
            lines.append((number, coerce.text(content) or content))
    return Location(target, start, end, valid=start is not None, snippet=tuple(lines))


def _secret(record: dict[str, Any], result: dict[str, Any], version: str | None) -> Finding:
    rule = coerce.text(record["RuleID"])
    if rule is None:
        raise ValueError("a secret without a RuleID")
    start, end = coerce.line(record.get("StartLine")), coerce.line(record.get("EndLine"))
    target = coerce.text(result.get("Target"))
    return Finding(
        fingerprint="",
        tool="trivy",
        format="json",
        rule=rule,
        title=coerce.text(record.get("Title")) or rule,
        tool_version=version,
        severity=severity.build(coerce.text(record.get("Severity"))),
        cwes=("CWE-798",),
        # Masked or not, a secret's line is never kept: it must not reach training data.
        location=Location(target, start, end, valid=start is not None) if target else None,
        fix=Fix("advice", advice="Revoke the secret and remove it from the source."),
    )


def _license(record: dict[str, Any], result: dict[str, Any], version: str | None) -> Finding:
    name = coerce.text(record["Name"])
    if name is None:
        raise ValueError("a licence without a name")
    target, owner = coerce.text(result.get("Target")), coerce.text(record.get("PkgName"))
    kind = packages.purl_type(coerce.text(result.get("Type")))
    path = coerce.text(record.get("FilePath")) or target
    link = coerce.text(record.get("Link"))
    return Finding(
        fingerprint="",
        tool="trivy",
        format="json",
        rule=f"license:{name}",
        title=f"Licence {name}" + (f" of {owner}" if owner else ""),
        message=coerce.text(record.get("Category")) or "",
        tool_version=version,
        severity=severity.build(coerce.text(record.get("Severity"))),
        location=Location(path, valid=False) if path and not owner else None,
        package=Package(owner, ecosystem=kind, manifest=target) if owner else None,
        fix=Fix("link" if link else "none", link=link),
    )


_RECORDS = {
    "Vulnerabilities": _vulnerability,
    "Misconfigurations": _misconfiguration,
    "Secrets": _secret,
    "Licenses": _license,
}


def from_sarif(result: SarifResult) -> Finding:
    """A finding out of a Trivy SARIF result: the package's facts stand only in the message's lines.

    The rule's help is not asked: it may name another package of the same advisory.
    """
    lines = [line.partition(":") for line in result.message.split("\n")]
    fields = {name: value.strip() for name, colon, value in lines if colon and name in _SARIF_FIELDS}
    link = _SARIF_LINK.search(result.message)
    raw = _OLD_RULE.sub("", result.rule_id)
    level = severity.build(fields.get("Severity"), result.severity.score, result.severity.origin)
    url = link[1] if link else result.fix.link
    if not fields.get("Package"):
        return _sarif_check(result, raw, url, level if fields.get("Severity") else result.severity)
    found = _sarif_package(fields, result)
    fix = _choose_fix(found, fields.get("Fixed Version"), url)
    return generic_finding(result, "trivy", rule=raw, severity=level, location=None, package=found, fix=fix)


def _sarif_check(result: SarifResult, raw: str, url: str | None, level: Severity) -> Finding:
    rule = raw if raw.upper().startswith(("CVE-", "GHSA-")) else check_id(raw)
    place = result.locations[0] if result.locations else None
    if place and raw == rule and (place.start_line, place.start_column, place.end_column) == (1, 1, 1):
        place = Location(place.path, valid=False)  # Trivy's placeholder for "no line known"
    elif place:  # columns are always 1 and the JSON has none; a secret's line would be in the snippet
        place = Location(place.path, place.start_line, place.end_line, valid=place.valid)
    aliases = (raw,) if raw != rule else ()
    fix = result.fix if result.fix.provenance != "none" else Fix("link" if url else "none", link=url)
    return generic_finding(
        result, "trivy", rule=rule, aliases=aliases, severity=level, location=place, fix=fix
    )


def _sarif_package(fields: dict[str, str], result: SarifResult) -> Package:
    place = result.locations[0].path if result.locations else None
    notes = " ".join((*result.location_messages, place or ""))
    kind = packages.type_of_manifest(notes) if "(" in notes else None
    name, installed = fields["Package"], fields.get("Installed Version") or None
    kind = kind or packages.type_of_manifest(place)
    if kind is None and coerce.text(result.rule.get("name")) == "OsPackageVulnerability":
        kind = next((found for pattern, found in _OS_VERSIONS if pattern.search(installed or "")), None)
    return Package(name, installed, kind, packages.make_purl(kind, name, installed), place)


def _is_driver(name: str) -> bool:
    return name.lower().startswith("trivy")


SCANNER = Scanner("trivy", is_report, read, _is_driver, from_sarif)
