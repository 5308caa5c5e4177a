"""Small reports of our own in every shape, and a way to parse them as a delivery."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.findings.parse import Limits, Parsed, parse_paths

SMALL_LIMITS = Limits(max_file_bytes=1 << 20, max_members=20, max_total_bytes=4 << 20, max_ratio=50)


def trivy_vulnerability(**changes: Any) -> dict[str, Any]:
    base = {
        "VulnerabilityID": "CVE-2099-0001",
        "PkgName": "keyring-js",
        "InstalledVersion": "3.0.0",
        "FixedVersion": "6.0.1, 5.0.1, 4.1.1, 3.0.1",
        "Status": "fixed",
        "Severity": "HIGH",
        "Title": "keyring-js: challenge reused",
        "Description": "The challenge is not bound to the session.",
        "CweIDs": ["CWE-294"],
        "CVSS": {"nvd": {"V3Score": 8.1}},
        "PrimaryURL": "https://advisories.example/CVE-2099-0001",
    }
    return {**base, **changes}


def trivy_report(
    *vulnerabilities: dict[str, Any], kind: str = "npm", target: str = "package-lock.json"
) -> Any:
    result = {"Target": target, "Class": "lang-pkgs", "Type": kind, "Vulnerabilities": list(vulnerabilities)}
    return {"SchemaVersion": 2, "ArtifactName": "app", "ArtifactType": "filesystem", "Results": [result]}


def sarif_report(driver: str, *results: dict[str, Any], rules: list[Any] | None = None) -> Any:
    tool = {"driver": {"name": driver, "version": "1.2.3", "rules": rules or []}}
    return {"version": "2.1.0", "runs": [{"tool": tool, "results": list(results)}]}


def trivy_sarif(package: str = "keyring-js", rule: str = "CVE-2099-0001") -> Any:
    message = (
        f"Package: {package}\nInstalled Version: 3.0.0\nVulnerability {rule}\nSeverity: HIGH\n"
        f"Fixed Version: 6.0.1, 5.0.1, 4.1.1, 3.0.1\nLink: [{rule}](https://advisories.example/{rule})"
    )
    place = {"artifactLocation": {"uri": "package-lock.json"}, "region": {"startLine": 1, "endLine": 1}}
    result = {"ruleId": rule, "level": "error", "message": {"text": message}}
    rules = [
        {"id": rule, "name": "LanguageSpecificPackageVulnerability", "help": {"text": "Package: another"}}
    ]
    return sarif_report("Trivy", {**result, "locations": [{"physicalLocation": place}]}, rules=rules)


def semgrep_result(**extra: Any) -> dict[str, Any]:
    about = {
        "message": "Use a random challenge.",
        "severity": "ERROR",
        "metadata": {"cwe": "CWE-330: weak random"},
    }
    return {
        "check_id": "rules.fixed-challenge",
        "path": "src/login.py",
        "start": {"line": 7, "col": 13},
        "end": {"line": 7, "col": 23},
        "extra": {**about, **extra},
    }


def semgrep_report(*results: dict[str, Any]) -> Any:
    return {"version": "1.120.0", "results": list(results), "errors": [], "paths": {"scanned": []}}


def semgrep_sarif(**changes: Any) -> Any:
    region = {"startLine": 7, "endLine": 7, "startColumn": 13, "endColumn": 23}
    region["snippet"] = {"text": "challenge = b'constant'"}  # type: ignore[assignment]
    place = {"artifactLocation": {"uri": "src/login.py"}, "region": region}
    base = {
        "ruleId": "rules.fixed-challenge",
        "message": {"text": "Use a random challenge."},
        "locations": [{"physicalLocation": place}],
    }
    rules = [{"id": "rules.fixed-challenge", "defaultConfiguration": {"level": "error"}}]
    return sarif_report("Semgrep OSS", {**base, **changes}, rules=rules)


def osv_advisory(
    identifier: str, *aliases: str, name: str = "keyring", fixed: str = "2.1.4"
) -> dict[str, Any]:
    def affected(package: str, ecosystem: str, *events: dict[str, str]) -> dict[str, Any]:
        ranges = [
            {"type": "GIT", "events": [{"introduced": "0"}, {"fixed": "9f8e7d6c"}]},
            {"type": "ECOSYSTEM", "events": list(events)},
        ]
        return {"package": {"name": package, "ecosystem": ecosystem}, "ranges": ranges}

    return {
        "id": identifier,
        "aliases": list(aliases),
        "summary": "Attestation is not checked",
        "details": "An attacker registers a key of their own.",
        "affected": [
            affected("other-package", "PyPI", {"introduced": "0"}, {"fixed": "0.1"}),
            affected("keyring", "npm", {"introduced": "0"}, {"fixed": "99.0.0"}),
            affected(
                name,
                "PyPI",
                {"introduced": "3.0"},
                {"fixed": "3.0.2"},
                {"introduced": "2.0"},
                {"fixed": fixed},
                {"introduced": "0"},
                {"fixed": "1.9.9"},
            ),
        ],
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "database_specific": {"severity": "MODERATE", "cwe_ids": ["CWE-295"]},
    }


def osv_report(*advisories: dict[str, Any], version: str = "2.1.0") -> Any:
    ids = [entry["id"] for entry in advisories]
    package = {
        "package": {"name": "keyring", "version": version, "ecosystem": "PyPI"},
        "vulnerabilities": list(advisories),
        "groups": [{"ids": ids, "aliases": ids, "max_severity": "9.8"}],
    }
    return {
        "results": [{"source": {"path": "/app/requirements.txt", "type": "lockfile"}, "packages": [package]}]
    }


def zap_alert(**changes: Any) -> dict[str, Any]:
    base = {
        "pluginid": "10011",
        "alertRef": "10011-1",
        "name": "Cookie Without Secure Flag",
        "riskcode": "1",
        "confidence": "2",
        "riskdesc": "Low (Medium)",
        "desc": "<p>A cookie is sent in clear.</p><p>Anyone may read it &amp; use it.</p>",
        "solution": "<p>Set the flag.</p>",
        "reference": "<p>https://reference.example/cookies</p>",
        "cweid": "614",
        "instances": [
            {"uri": "https://app.example/login", "method": "GET", "param": "sid", "evidence": "Set-Cookie"}
        ],
    }
    return {**base, **changes}


def zap_report(*alerts: dict[str, Any]) -> Any:
    sites = [{"@name": "https://app.example", "alerts": list(alerts)}]
    return {"@version": "2.16.0", "@generated": "Mon, 1 Jan 2099 00:00:00", "site": sites}


ZAP_XML = """Some console text of the scan
<?xml version="1.0"?><OWASPZAPReport version="2.16.0" generated="Mon, 1 Jan 2099 00:00:00">
<site name="https://app.example"><alerts><alertitem><pluginid>10011</pluginid><alertRef>10011-1</alertRef>
<name>Cookie Without Secure Flag</name><riskcode>1</riskcode><confidence>2</confidence>
<desc>&lt;p&gt;A cookie is sent in clear.&lt;/p&gt;</desc><cweid>614</cweid>
<instances><instance><uri>https://app.example/login</uri><method>GET</method></instance></instances>
<solution>&lt;p&gt;Set the flag.&lt;/p&gt;</solution></alertitem></alerts></site></OWASPZAPReport>
"""


def checkov_check(**changes: Any) -> dict[str, Any]:
    base = {
        "check_id": "CKV_TEST_1",
        "check_name": "Ensure the store is encrypted",
        "file_path": "/store.tf",
        "repo_file_path": "/infra/store.tf",
        "file_line_range": [3, 4],
        "code_block": [[3, 'resource "store" "keys" {\n'], [4, "}\n"]],
        "resource": "store.keys",
        "severity": None,
        "guideline": "https://guides.example/store",
    }
    return {**base, **changes}


def checkov_report(*checks: dict[str, Any]) -> Any:
    results = {"passed_checks": [], "failed_checks": list(checks), "skipped_checks": [], "parsing_errors": []}
    return {"check_type": "terraform", "results": results, "summary": {"checkov_version": "3.2.0"}}


REPORTS: dict[str, bytes] = {
    "trivy.json": json.dumps(trivy_report(trivy_vulnerability()), indent=1).encode(),
    "trivy.sarif": json.dumps(trivy_sarif()).encode(),
    "semgrep.json": json.dumps(
        semgrep_report(semgrep_result(lines="requires login", fix="urandom(32)"))
    ).encode(),
    "semgrep.sarif": json.dumps(semgrep_sarif()).encode(),
    "osv.json": json.dumps(
        osv_report(osv_advisory("GHSA-aaaa"), osv_advisory("PYSEC-1", "GHSA-aaaa"))
    ).encode(),
    "zap.json": json.dumps(zap_report(zap_alert())).encode(),
    "zap.xml": ZAP_XML.encode(),
    "checkov.json": json.dumps([checkov_report(checkov_check()), checkov_report()]).encode(),
}


@pytest.fixture
def limits() -> Limits:
    return SMALL_LIMITS


@pytest.fixture
def make() -> Any:
    """The builders of this file, by name."""
    import types

    return types.SimpleNamespace(**{name: value for name, value in globals().items() if name[0].islower()})


@pytest.fixture
def reports() -> dict[str, bytes]:
    return dict(REPORTS)


@pytest.fixture
def parse(tmp_path: Path) -> Callable[..., Parsed]:
    """Parse values (JSON), text or bytes as the files of one delivery."""

    def run(*contents: Any, **named: Any) -> Parsed:
        folder = tmp_path / "delivery"
        folder.mkdir(exist_ok=True)
        every = {**{f"{number:03}.json": value for number, value in enumerate(contents)}, **named}
        for name, value in every.items():
            data = value.encode() if isinstance(value, str) else value
            (folder / name).write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
        return parse_paths([folder], SMALL_LIMITS)

    return run
