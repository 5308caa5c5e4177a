"""What is not one of ours, named: other scanners' reports, SBOMs, lock files, pages and tables.

Secret scanners are refused on purpose. Most shapes are told by a few keys that their writers always set.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

from jobs.findings.model import coerce

_SECRETS = "secrets must never reach training data"
_SECRET_TOOLS = re.compile(
    r"gitleaks|trufflehog|detect[-_ ]?secrets|ggshield|gitguardian|nosey ?parker|whispers|secretlint"
    r"|github secret scanning|rusty ?hog|credscan|kingfisher",
    re.IGNORECASE,
)
_Fits = Callable[[Any], bool]
_SAMPLE = 20  # entries of a list that are looked at


def holds_secrets(tool: str) -> bool:
    """Whether a tool's reports are about secrets found in code."""
    return bool(_SECRET_TOOLS.search(tool))


def refusal(name: str) -> str:
    """Why a known kind of file is not read."""
    if holds_secrets(name):
        return f"a {name} report, refused: {_SECRETS}"
    article = "an" if name[:1] in "AEIOU" else "a"
    return f"{article} {name}, which sectune does not read" + (_ADVICE.get(name, ""))


def json_refusal(document: Any) -> str:
    """The reason for refusing a JSON document that no scanner recognised."""
    for name, fits in _KNOWN:
        if fits(document):
            return refusal(name)
    if document is None or document == []:
        return f"not a report: a bare {'null' if document is None else '[]'} does not say which tool wrote it"
    if document == {}:
        return "not a report: an empty object does not say which tool wrote it"
    if isinstance(document, dict):
        names = ", ".join(str(key)[:40] for key in list(document)[:5])
        return f"not a report of a known scanner (a JSON object with {names})"
    return f"not a report of a known scanner (a JSON {_word(document)})"


def xml_refusal(root: Element) -> str:
    """The reason for refusing an XML document that no scanner recognised."""
    name = str(root.tag).rpartition("}")[2]
    if known := _XML_KNOWN.get(name):
        return refusal(known)
    return f"not a report of a known scanner (XML with the root <{name[:60]}>)"


def _word(document: Any) -> str:
    if coerce.is_list(document):
        return "list"
    return "boolean" if isinstance(document, bool) else "number"


def _keys(*names: str) -> _Fits:
    return lambda value: isinstance(value, dict) and all(name in value for name in names)


def _entries(*names: str) -> _Fits:
    def found(value: Any) -> bool:
        listed = coerce.first_mappings(value, _SAMPLE)
        return bool(listed) and all(all(name in entry for name in names) for entry in listed)

    return found


def _inside(key: str, *names: str) -> _Fits:
    return lambda value: isinstance(value, dict) and _entries(*names)(value.get(key))


def _below(key: str, *names: str) -> _Fits:
    return lambda value: isinstance(value, dict) and _keys(*names)(value.get(key))


def _equals(key: str, *values: str) -> _Fits:
    return lambda value: isinstance(value, dict) and value.get(key) in values


def _either(*names: str) -> _Fits:
    """An object with these keys, or a list of such objects."""
    return lambda value: _keys(*names)(value) or _entries(*names)(value)


def _safety_list(value: Any) -> bool:
    return coerce.is_list(value) and any(coerce.is_list(e) and len(e) >= 5 for e in value[:_SAMPLE])


def _operator(value: Any) -> bool:
    """A custom resource of trivy-operator, a Kubernetes list of them, or a dump by resource names."""
    if coerce.is_list(value):
        return any(_operator(entry) for entry in coerce.first_mappings(value, _SAMPLE))
    if not isinstance(value, dict):
        return False
    group = "aquasecurity.github.io"
    named = group in str(value.get("apiVersion")) or any(group in str(key) for key in list(value)[:_SAMPLE])
    return named or (_equals("kind", "List")(value) and _operator(value.get("items")))


def _lines_of(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in {"auditAdvisory", "auditSummary", "auditAction"}


# In order: the first that fits names the file.
_KNOWN: tuple[tuple[str, _Fits], ...] = (
    ("Gitleaks", _either("RuleID", "Secret")),
    ("Gitleaks", _either("RuleID", "Match", "Commit")),
    ("Gitleaks", _either("rule", "offender")),
    ("Gitleaks", _either("commit", "offender")),
    ("TruffleHog", _either("DetectorName", "SourceMetadata")),
    ("TruffleHog", _either("stringsFound", "commitHash")),
    ("detect-secrets", _keys("plugins_used", "results")),
    ("ggshield", _keys("total_incidents", "scans")),
    ("ggshield", _keys("entities_with_incidents")),
    ("Nosey Parker", _either("rule_name", "matches", "num_matches")),
    ("Nosey Parker", _either("finding_id", "rule_text_id")),
    ("GitHub secret scanning", _either("secret_type", "secret")),
    ("CycloneDX SBOM", _equals("bomFormat", "CycloneDX")),
    ("SPDX SBOM", _keys("spdxVersion")),
    ("SPDX SBOM", _keys("SPDXID")),
    ("SPDX SBOM", _keys("@context", "@graph")),
    ("Syft SBOM", _keys("artifacts", "artifactRelationships")),
    ("OpenVEX document", _keys("@context", "statements")),
    ("CSAF advisory", _keys("document", "product_tree")),
    ("in-toto attestation", _keys("_type", "predicateType")),
    ("DSSE envelope", _keys("payload", "payloadType", "signatures")),
    ("cosign vulnerability attestation", _keys("scanner", "invocation")),
    ("GitHub dependency snapshot", _keys("detector", "manifests")),
    ("AWS Security Finding list", _inside("Findings", "ProductArn")),
    ("AWS Security Finding list", _entries("SchemaVersion", "ProductArn")),
    ("Trivy operator resource", _operator),
    (
        "Trivy operator resource",
        _equals("kind", "VulnerabilityReport", "ConfigAuditReport", "ExposedSecretReport"),
    ),
    ("Trivy compliance report", _keys("SummaryControls")),
    ("Trivy compliance report", _keys("RelatedResources", "Results")),
    ("GitLab code quality report", _entries("check_name", "fingerprint", "location")),
    ("GitLab security report", _keys("scan", "vulnerabilities")),
    ("GitLab security report", _keys("version", "vulnerabilities", "remediations")),
    ("GitLab security report", _keys("version", "vulnerabilities", "dependency_files")),
    ("Semgrep platform findings export", _inside("findings", "rule_name", "match_based_id")),
    ("Semgrep platform findings export", _inside("findings", "syntactic_id", "match_based_id")),
    ("Semgrep platform findings export", _inside("findings", "check_id", "syntactic_id")),
    ("semgrep-core output", _inside("matches", "rule_id", "location")),
    ("Semgrep rule test report", _keys("config_missing_tests", "results")),
    ("OSV-Scanner remediation plan", _keys("patches", "vulnerabilities", "ecosystem")),
    ("OSV API response", _inside("vulns", "id", "modified")),
    ("OSV API response", _inside("results", "vulns")),
    ("OSV advisory", _keys("id", "affected", "modified")),
    ("OSV advisory", _entries("id", "affected", "modified")),
    ("Grype report", _inside("matches", "vulnerability", "artifact")),
    ("Grype report", _keys("matches", "descriptor")),
    ("Grype report", _keys("matches", "source", "distro")),
    ("Bandit report", _keys("generated_at", "metrics")),
    ("Bandit report", _inside("results", "test_id", "issue_text")),
    ("tfsec report", _inside("results", "long_id", "rule_id")),
    ("tfsec report", _inside("results", "rule_id", "rule_provider")),
    ("tfsec report", _inside("results", "rule_id", "link", "location")),
    ("Safety report", _keys("report_meta")),
    ("Safety report", _keys("vulnerabilities", "affected_packages")),
    ("Safety report", _safety_list),
    ("KICS report", _keys("kics_version")),
    ("KICS report", _keys("queries", "severity_counters")),
    ("Terrascan report", lambda value: coerce.is_list(coerce.dig(value, "results", "violations"))),
    ("gosec report", _keys("Issues", "Stats")),
    ("Brakeman report", _keys("scan_info", "warnings")),
    ("pip-audit report", _inside("dependencies", "name", "vulns")),
    ("pip-audit report", _entries("name", "version", "vulns")),
    ("npm audit report", _keys("auditReportVersion")),
    ("npm audit report", _keys("advisories", "metadata")),
    ("yarn audit report", _lines_of),
    ("yarn audit report", _keys("value", "children")),
    ("composer audit report", _keys("advisories", "abandoned")),
    ("bundler-audit report", _keys("created_at", "results", "version")),
    ("cargo-audit report", _keys("database", "lockfile", "vulnerabilities")),
    ("Snyk report", _either("vulnerabilities", "packageManager")),
    ("Snyk report", _keys("infrastructureAsCodeIssues")),
    ("Snyk issues export", _inside("issues", "issueType", "pkgName")),
    ("Dependency-Check report", _keys("scanInfo", "dependencies")),
    ("Dependency-Check report", _keys("reportSchema", "dependencies")),
    ("Nuclei report", _either("template-id")),
    ("Nuclei report", _either("templateID", "matched")),
    ("Nikto report", _either("banner", "vulnerabilities", "host")),
    ("Wapiti report", _keys("classifications", "vulnerabilities")),
    ("Arachni report", _keys("issues", "sitemap")),
    ("Burp report", _keys("issue_events")),
    ("SSLyze report", _keys("server_scan_results")),
    ("testssl.sh report", _entries("id", "finding", "severity")),
    ("testssl.sh report", _keys("Invocation", "scanResult")),
    ("govulncheck report", _keys("config", "SBOM")),
    (
        "govulncheck report",
        lambda value: isinstance(coerce.dig(value, "config", "protocol_version"), str),
    ),
    ("Dockle report", _inside("details", "code", "alerts")),
    ("kube-bench report", _keys("Controls", "Totals")),
    ("kube-bench report", _inside("Controls", "tests")),
    ("KubeSec report", _entries("object", "valid", "scoring")),
    ("Kubescape report", _keys("summaryDetails", "resources")),
    ("kube-linter report", _keys("Checks", "Reports", "Summary")),
    ("Popeye report", _below("popeye", "score")),
    ("Prowler report", _entries("AssessmentStartTime", "CheckID")),
    ("OCSF findings", _entries("class_uid", "finding_info")),
    ("OCSF findings", _entries("class_uid", "finding")),
    ("Clair report", _keys("LayerCount", "Vulnerabilities")),
    ("Clair report", _keys("manifest_hash", "vulnerabilities")),
    ("Clair report", _keys("unapproved", "vulnerabilities")),
    ("Anchore report", _keys("imageDigest", "vulnerabilities")),
    ("Anchore report", _keys("imageDigest", "policyEvaluation")),
    ("Aqua report", _keys("vulnerability_summary", "resources")),
    ("Docker Scout report", _inside("vulnerabilities", "scanner", "category")),
    ("Twistlock report", _inside("results", "distro", "vulnerabilities")),
    ("Twistlock report", _inside("results", "vulnerabilityDistribution")),
    ("Xray report", _keys("total_count", "data")),
    ("Xray report", _either("impacted_package", "issue_id")),
    ("Mend report", _inside("vulnerabilities", "library", "topFix")),
    ("Retire.js report", _inside("data", "file", "results")),
    ("Retire.js report", _entries("file", "results")),
    ("Black Duck report", _keys("componentVulnerabilities")),
    ("Hadolint report", _entries("code", "level", "line")),
    ("ShellCheck report", _entries("code", "level", "endLine", "message")),
    ("ShellCheck report", _inside("comments", "code", "level")),
    ("ESLint report", _entries("filePath", "messages")),
    ("Pylint report", _entries("message-id", "symbol")),
    ("Ruff report", _entries("code", "filename", "end_location")),
    ("RuboCop report", _keys("metadata", "files", "summary")),
    ("PHPStan report", _below("totals", "file_errors")),
    ("Psalm report", _entries("line_from", "file_name", "shortcode")),
    ("njsscan report", _keys("njsscan_version")),
    ("MobSF report", _keys("appsec", "file_name", "md5")),
    ("mobsfscan report", _keys("mobsfscan_version")),
    ("Horusec report", _keys("analysisVulnerabilities")),
    ("Bearer report", _keys("critical", "high", "medium")),
    ("Codacy or CodeClimate report", _entries("check_name", "categories", "location")),
    ("SonarQube export", _keys("issues", "paging")),
    ("SonarQube export", _keys("issues", "total", "ps")),
    ("SonarQube export", _keys("hotspots", "paging")),
    ("Checkmarx report", _keys("scanResults")),
    ("Checkmarx report", _keys("scanID", "totalCount")),
    ("Veracode report", _keys("pipeline_scan", "findings")),
    ("Veracode report", _below("_embedded", "findings")),
    ("GitHub code scanning export", _entries("most_recent_instance", "rule")),
    ("Dependabot export", _either("security_advisory", "security_vulnerability")),
    (
        "Dependabot export",
        lambda v: coerce.dig(v, "data", "repository", "vulnerabilityAlerts") is not None,
    ),
    ("Meterian report", _below("reports", "security")),
    ("DefectDojo generic report", _inside("findings", "title", "severity")),
    ("Infer report", _entries("bug_type", "bug_trace")),
    ("JSON schema", _keys("$schema", "definitions")),
    ("JSON schema", _keys("$schema", "$defs")),
    ("JSON schema", _keys("$schema", "properties")),
    ("npm lock file", _keys("lockfileVersion")),
    ("npm package file", _keys("name", "version", "dependencies")),
    ("Composer lock file", _keys("content-hash", "packages")),
    ("Jupyter notebook", _keys("cells", "nbformat")),
    ("SARIF log without runs", lambda value: "sarif" in str(coerce.dig(value, "$schema"))),
)
_XML_KNOWN = {
    "testsuites": "JUnit report",
    "testsuite": "JUnit report",
    "nmaprun": "Nmap report",
    "bom": "CycloneDX SBOM",
    "issues": "Burp report",
    "items": "Burp proxy export",
    "NessusClientData_v2": "Nessus report",
    "NexposeReport": "Nexpose report",
    "checkstyle": "Checkstyle report",
    "BugCollection": "SpotBugs report",
    "analysis": "Dependency-Check report",
    "CxXMLResults": "Checkmarx report",
    "detailedreport": "Veracode report",
    "FVDL": "Fortify report",
    "ReportDefinition": "Fortify report",
    "niktoscan": "Nikto report",
    "niktoscans": "Nikto report",
    "arachni_report": "Arachni report",
    "ScanGroup": "Acunetix report",
    "pmd": "PMD report",
    "pmd-cpd": "PMD report",
    "coverage": "coverage report",
    "dotCover": "coverage report",
    "SSLyze": "SSLyze report",
    "sslyze": "SSLyze report",
    "document": "XML document",
    "netsparker-enterprise": "Netsparker report",
    "invicti-enterprise": "Invicti report",
    "SCAN": "Qualys report",
    "ASSET_DATA_REPORT": "Qualys report",
    "WAS_SCAN_REPORT": "Qualys report",
    "XmlReport": "AppScan report",
    "xml-report": "AppScan report",
    "VulnerabilityReport": "vulnerability report of an unknown tool",
    "project": "Maven project file",
    "svg": "SVG image",
    "rss": "feed",
    "feed": "feed",
    "plist": "property list",
}
_ADVICE = {
    "semgrep-core output": ": deliver `semgrep scan --json`",
    "Semgrep platform findings export": ": deliver `semgrep scan --json` or its SARIF",
    "Trivy operator resource": ": deliver `trivy k8s --format json`",
    "Trivy compliance report": ": deliver `trivy ... --format json` without --compliance",
    "cosign vulnerability attestation": ": deliver the report inside it",
}
