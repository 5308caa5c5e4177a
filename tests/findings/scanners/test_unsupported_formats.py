from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from jobs.findings.parse import Parsed

Parse = Callable[..., Parsed]
OTHERS: dict[str, Any] = {
    "CycloneDX SBOM": {"bomFormat": "CycloneDX", "vulnerabilities": []},
    "SPDX SBOM": {"SPDXID": "SPDXRef-DOCUMENT", "packages": []},
    "GitHub dependency snapshot": {"version": 0, "detector": {"name": "trivy"}, "manifests": {}},
    "AWS Security Finding list": {"Findings": [{"SchemaVersion": "2018-10-08", "ProductArn": "arn"}]},
    "GitLab security report": {"version": "15.0.7", "vulnerabilities": [], "remediations": []},
    "GitLab code quality report": [{"check_name": "CVE-1", "fingerprint": "f", "location": {"path": "a"}}],
    "cosign vulnerability attestation": {"invocation": {}, "scanner": {"result": {}}, "metadata": {}},
    "in-toto attestation": {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "x"},
    "Trivy operator resource": {"kind": "List", "items": [{"apiVersion": "aquasecurity.github.io/v1alpha1"}]},
    "Trivy compliance report": {"ID": "k8s-nsa", "Title": "x", "SummaryControls": []},
    "semgrep-core output": {"matches": [{"rule_id": "r", "location": {}, "extra": {}}], "errors": []},
    "Semgrep platform findings export": {"findings": [{"rule_name": "r", "match_based_id": "m"}]},
    "Semgrep rule test report": {"config_missing_tests": [], "results": {}},
    "OSV-Scanner remediation plan": {"path": "x", "ecosystem": "npm", "vulnerabilities": [], "patches": []},
    "OSV API response": {"vulns": [{"id": "GHSA-1", "modified": "2099-01-01"}]},
    "OSV advisory": {"id": "GHSA-1", "modified": "2099-01-01", "affected": []},
    "npm audit report": {"auditReportVersion": 2, "vulnerabilities": {}},
    "pip-audit report": {"dependencies": [{"name": "a", "version": "1", "vulns": []}], "fixes": []},
    "Snyk report": {"vulnerabilities": [], "ok": True, "packageManager": "npm"},
    "Dependency-Check report": {"reportSchema": "1.1", "scanInfo": {}, "dependencies": []},
    "Nuclei report": {"template-id": "x", "info": {}},
    "Nikto report": {"host": "h", "ip": "1", "port": "80", "banner": "", "vulnerabilities": []},
    "SonarQube export": {"total": 1, "p": 1, "ps": 100, "paging": {}, "issues": []},
    "Grype report": {"matches": [], "source": {}, "distro": {}, "descriptor": {"name": "grype"}},
    "Dockle report": {"summary": {}, "details": [{"code": "CIS", "alerts": []}]},
    "KubeSec report": [{"object": "Pod", "valid": True, "scoring": {}}],
    "Prowler report": [{"AssessmentStartTime": "x", "CheckID": "y"}],
    "GitHub code scanning export": [{"number": 1, "rule": {}, "most_recent_instance": {}}],
    "DefectDojo generic report": {"findings": [{"title": "t", "severity": "High"}]},
    "SARIF log without runs": {"$schema": "https://json.schemastore.org/sarif-2.1.0.json"},
    "TruffleHog": {"DetectorName": "AWS", "SourceMetadata": {}, "Raw": "s3cr3t"},
    "detect-secrets": {"plugins_used": [], "results": {}},
    "ggshield": {"scans": [], "total_incidents": 1},
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_tools_json_is_refused_by_its_name(parse: Parse, name: str) -> None:
    parsed = parse(OTHERS[name])
    report = parsed.files[0]
    assert (report.verdict, report.raw_findings, parsed.findings) == ("refused", 0, ())
    assert name in str(report.reason)
    assert "s3cr3t" not in json.dumps(parsed.to_json())


@pytest.mark.parametrize(
    ("xml", "name"),
    [
        ('<testsuites name="trivy"><testsuite/></testsuites>', "JUnit"),
        ("<nmaprun/>", "Nmap"),
        ('<!DOCTYPE issues [<!ELEMENT issues (issue*)>]><issues burpVersion="1"/>', "Burp"),
        ("<NessusClientData_v2/>", "Nessus"),
        ('<bom xmlns="http://cyclonedx.org/schema/bom/1.5"/>', "CycloneDX"),
        ('<analysis xmlns="https://jeremylong.github.io/DependencyCheck/x.xsd"/>', "Dependency-Check"),
        ("<niktoscan/>", "Nikto"),
        ("<report/>", "root <report>"),
    ],
)
def test_other_tools_xml_is_refused_by_its_name(parse: Parse, xml: str, name: str) -> None:
    report = parse('<?xml version="1.0"?>' + xml).files[0]
    assert report.verdict == "refused"
    assert name in str(report.reason)


@pytest.mark.parametrize(
    "document",
    [
        {"version": 1, "runs": [{"id": 7, "state": "done"}]},
        {"results": [{"id": 1}], "total": 1},
        {"results": {"a": 1}, "errors": []},
        {"site": "https://app.example"},
        {"alerts": [{"id": 1}]},
        {"passed": 3, "failed": 1},
        {"SchemaVersion": "1.0", "Findings": []},
        {"ClusterName": "prod"},
        [{"a": 1}],
        [1, 2],
        "text",
    ],
)
def test_what_nobody_wrote_for_us_is_never_an_empty_report(parse: Parse, document: Any) -> None:
    assert parse(document).files[0].verdict == "refused"
