"""Tell the tool by content, never by name or path; known others and strangers are refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from jobs.findings import sarif, shape
from jobs.findings.reading import Reading, Refused, Scanner
from jobs.findings.scanners import SCANNERS

OTHER_SARIF = "sarif_other"
_SECRETS = "secrets must never reach training data"
_SECRET_DRIVERS = re.compile(r"gitleaks|trufflehog|detect[-_ ]?secrets|ggshield|gitguardian", re.IGNORECASE)


def _keys(*names: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(name in value for name in names)


def _entries(*names: str) -> Callable[[Any], bool]:
    def found(value: Any) -> bool:
        listed = shape.mappings(value)
        return bool(listed) and all(all(name in entry for name in names) for entry in listed[:20])

    return found


def _inside(key: str, *names: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and _entries(*names)(value.get(key))


def _safety_list(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(e, list) and len(e) >= 5 for e in value)


def _equals(key: str, *values: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and value.get(key) in values


# In order: the first that fits names the file. Gitleaks and its like are refused on purpose.
_KNOWN: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("Gitleaks", _entries("RuleID", "Secret")),
    ("Gitleaks", _entries("RuleID", "Match", "Commit")),
    ("Gitleaks", _entries("rule", "offender")),
    ("TruffleHog", _entries("DetectorName", "SourceMetadata")),
    ("TruffleHog", _keys("DetectorName", "SourceMetadata")),
    ("detect-secrets", _keys("plugins_used", "results")),
    ("CycloneDX SBOM", _equals("bomFormat", "CycloneDX")),
    ("SPDX SBOM", _keys("spdxVersion")),
    ("SPDX SBOM", _keys("SPDXID")),
    ("SPDX SBOM", _keys("@context", "@graph")),
    ("Syft SBOM", _keys("artifacts", "artifactRelationships")),
    ("OpenVEX", _keys("@context", "statements")),
    ("Grype", _inside("matches", "vulnerability", "artifact")),
    ("Grype", _keys("matches", "descriptor")),
    ("Bandit", _keys("generated_at", "metrics")),
    ("Bandit", _inside("results", "test_id", "issue_text")),
    ("tfsec", _inside("results", "long_id", "rule_id")),
    ("tfsec", _inside("results", "rule_id", "rule_provider")),
    ("Safety", _keys("report_meta")),
    ("Safety", _keys("vulnerabilities", "affected_packages")),
    ("Safety", _safety_list),
    ("KICS", _keys("kics_version")),
    ("Terrascan", lambda value: isinstance(shape.dig(value, "results", "violations"), list)),
    ("gosec", _keys("Issues", "Stats")),
    ("Brakeman", _keys("scan_info", "warnings")),
    ("pip-audit", _inside("dependencies", "name", "vulns")),
    ("npm audit", _keys("auditReportVersion")),
    ("npm audit", _keys("advisories", "metadata")),
    ("Snyk", _keys("vulnerabilities", "packageManager")),
    ("Snyk", _entries("vulnerabilities", "packageManager")),
    ("Dependency-Check", _keys("scanInfo", "dependencies")),
    ("Nuclei", _keys("template-id")),
    ("Nuclei", _entries("template-id")),
    ("govulncheck", _keys("config", "SBOM")),
    ("Dockle", _inside("details", "code", "alerts")),
    ("kube-bench", _keys("Controls", "Totals")),
    ("Hadolint", _entries("code", "level", "line")),
    ("ESLint", _entries("filePath", "messages")),
    ("GitLab security report", _keys("scan", "vulnerabilities")),
    ("SonarQube", _keys("issues", "paging")),
    ("DefectDojo", _inside("findings", "title", "severity")),
    (
        "Trivy operator resource",
        _equals("kind", "VulnerabilityReport", "ConfigAuditReport", "ExposedSecretReport"),
    ),
    ("npm lock file", _keys("lockfileVersion")),
    ("OSV advisory", _keys("id", "affected", "modified")),
    ("JSON schema", _keys("$schema", "definitions")),
)
_XML_KNOWN = {
    "testsuites": "JUnit",
    "testsuite": "JUnit",
    "nmaprun": "Nmap",
    "bom": "CycloneDX SBOM",
    "issues": "Burp",
    "NessusClientData_v2": "Nessus",
    "checkstyle": "Checkstyle",
    "BugCollection": "SpotBugs",
    "analysis": "Dependency-Check",
    "CxXMLResults": "Checkmarx",
    "svg": "SVG image",
}


def read_json(document: Any, reading: Reading) -> None:
    """Read a JSON document with the scanner that recognises it.

    Raises:
        Refused: No scanner does; the message names what it is, where known.
    """
    reading.format = "json"
    if sarif.is_sarif(document):
        read_sarif(document, reading)
        return
    for scanner in SCANNERS:
        if scanner.is_json(document):
            reading.tool = scanner.name
            scanner.read_json(document, reading)
            return
    if isinstance(document, dict) and document.keys() == {"results"} and document["results"] in ([], None):
        reading.warn("ambiguous: an empty `results` is written by Semgrep and by OSV-Scanner alike")
        return
    raise Refused(_stranger(document))


def _stranger(document: Any) -> str:
    for name, fits in _KNOWN:
        if fits(document):
            why = f": {_SECRETS}" if _SECRET_DRIVERS.search(name) else ""
            return (
                f"a {name} report, which sectune does not read{why}"
                if not why
                else f"a {name} report, refused{why}"
            )
    if document is None or document == []:
        return f"not a report: a bare {'null' if document is None else '[]'} does not say which tool wrote it"
    if document == {}:
        return "not a report: an empty object does not say which tool wrote it"
    if isinstance(document, dict):
        names = ", ".join(str(key)[:40] for key in list(document)[:5])
        return f"not a report of a known scanner (a JSON object with {names})"
    return f"not a report of a known scanner (a JSON {_word(document)})"


def _word(document: Any) -> str:
    if isinstance(document, list):
        return "list"
    return "boolean" if isinstance(document, bool) else "number"


def read_xml(root: Element, reading: Reading) -> None:
    """Read an XML root with the scanner that recognises it.

    Raises:
        Refused: No scanner does.
    """
    reading.format = "xml"
    for scanner in SCANNERS:
        if scanner.is_xml(root) and scanner.read_xml:
            reading.tool = scanner.name
            scanner.read_xml(root, reading)
            return
    name = str(root.tag).rpartition("}")[2]
    if known := _XML_KNOWN.get(name):
        raise Refused(f"a {known} file, which sectune does not read")
    raise Refused(f"not a report of a known scanner (XML with the root <{name[:60]}>)")


def read_sarif(document: dict[str, Any], reading: Reading) -> None:
    """Read a SARIF file, each run by its own tool; runs of tools we do not know are read generically.

    Raises:
        Refused: `runs` is no list, or a run is a secret scanner's.
    """
    reading.format = "sarif"
    if not isinstance(document["runs"], list | None):
        raise Refused("not valid SARIF: `runs` is no list")
    opened = list(sarif.runs(document))
    for _, run in opened:
        if _SECRET_DRIVERS.search(run.driver):
            raise Refused(f"a {run.driver[:60]} report, refused: {_SECRETS}")
    if len(opened) < len(shape.items(document["runs"])):
        reading.warn("some runs are no objects")
    tools = set()
    for pointer, run in opened:
        scanner = next((found for found in SCANNERS if found.is_driver(run.driver)), None)
        tools.add(scanner.name if scanner else OTHER_SARIF)
        for place, value in reading.entries(run.value.get("results"), f"{pointer}/results"):
            reading.record(place, _sarif_record, run, value, scanner)
    reading.tool = "+".join(sorted(tools)) or OTHER_SARIF


def _sarif_record(run: sarif.Run, value: Any, scanner: Scanner | None) -> Any:
    result = sarif.open_result(run, value)
    if scanner and scanner.from_sarif:
        return scanner.from_sarif(result)
    return sarif.generic_finding(result, run.driver)
