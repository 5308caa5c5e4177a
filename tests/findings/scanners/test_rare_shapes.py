"""Shapes of the five tools that are older or rarer than what they write today."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.findings.parse import Limits, Parsed, parse_paths

Parse = Callable[..., Parsed]


def one(parsed: Parsed) -> tuple[str, str | None, str | None, int]:
    report = parsed.files[0]
    return report.verdict, report.tool, report.format, report.raw_findings


def test_trivy_s_old_list_with_null_targets_and_an_empty_one(parse: Parse, make: Any) -> None:
    listed = make.trivy_report(make.trivy_vulnerability())["Results"]
    assert one(parse([*listed, {"Target": "x (alpine 3.10)", "Vulnerabilities": None}])) == (
        "parsed",
        "trivy",
        "json",
        1,
    )


@pytest.mark.parametrize("key", ["Resources", "Vulnerabilities", "Misconfigurations", "Findings"])
def test_trivy_s_kubernetes_reports_of_every_age(parse: Parse, make: Any, key: str) -> None:
    results = make.trivy_report(make.trivy_vulnerability())["Results"]
    cluster = {"ClusterName": "c", key: [{"Kind": "Pod", "Name": "p", "Results": results}, {"Kind": "Pod"}]}
    assert one(parse(cluster)) == ("parsed", "trivy", "json", 1)


@pytest.mark.parametrize(
    "document",
    [
        {"results": [], "paths": {"scanned": []}, "version": "1.0.0"},
        {"errors": [], "results": []},
    ],
)
def test_semgrep_s_empty_reports(parse: Parse, document: Any) -> None:
    assert one(parse(document)) == ("empty", "semgrep", "json", 0)


def test_osv_s_first_shape_with_capital_packages(parse: Parse, make: Any) -> None:
    report = make.osv_report(make.osv_advisory("GHSA-1"))
    result = report["results"][0]
    result["packageSource"] = result.pop("source")
    entry = result["packages"][0]
    entry["Package"] = entry.pop("package")
    parsed = parse({"results": [result]})
    assert one(parsed) == ("parsed", "osv", "json", 1)
    package = parsed.findings[0].package
    assert package is not None
    assert (package.name, package.manifest) == ("keyring", "/app/requirements.txt")


def test_osv_without_packages_or_vulnerabilities_is_empty(parse: Parse) -> None:
    assert one(parse({"results": [{"source": {"path": "x", "type": "sbom"}, "packages": None}]})) == (
        "empty",
        "osv",
        "json",
        0,
    )


def test_zap_with_one_site_one_alert_one_instance_not_in_lists(parse: Parse, make: Any) -> None:
    alert = make.zap_alert()
    alert["instances"] = alert["instances"][0]
    report = {"@generated": "now", "site": {"@name": "https://app.example", "alerts": alert}}
    parsed = parse(report)
    assert one(parsed) == ("parsed", "zap", "json", 1)
    assert parsed.findings[0].http is not None
    assert parsed.findings[0].http.uri == "https://app.example/login"


def test_zap_s_xml_converted_to_json(parse: Parse, make: Any) -> None:
    alert = make.zap_alert()
    alert["instances"] = {"instance": alert["instances"]}
    inner = {
        "@version": "2.9",
        "site": [{"@name": "https://app.example", "alerts": {"alertitem": [alert] * 2}}],
    }
    parsed = parse({"OWASPZAPReport": inner})
    assert one(parsed) == ("parsed", "zap", "json", 2)
    assert parsed.findings[0].http is not None


@pytest.mark.parametrize(
    "document",
    [
        {"@programName": "ZAP", "@version": "2.16", "@generated": "now"},
        {"@version": "2.7", "@generated": "now", "site": []},
        '<OWASPZAPReport version="2.9.0" generated="now"></OWASPZAPReport>',
        '<OWASPZAPReport version="2.9.0"><site name="x"/></OWASPZAPReport>',
    ],
)
def test_zap_without_sites_is_empty(parse: Parse, document: Any) -> None:
    verdict, tool, _, raw = one(parse(document))
    assert (verdict, tool, raw) == ("empty", "zap", 0)


@pytest.mark.parametrize("wrap", [list, lambda alerts: {"alerts": alerts}])
def test_zap_s_api_export_is_read_alert_by_alert(parse: Parse, wrap: Callable[..., Any]) -> None:
    alert = {
        "pluginId": "10011",
        "risk": "Low",
        "confidence": "Medium",
        "alert": "Cookie",
        "url": "https://a.example/x",
    }
    parsed = parse(wrap([alert, {**alert, "confidence": "False Positive"}]))
    assert one(parsed)[:2] == ("parsed", "zap")
    assert (one(parsed)[3], len(parsed.findings)) == (2, 1)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0, "checkov_version": "1.0.1"}, "empty"),
        ({"passed": 0, "failed": 0, "resourcecount": 0}, "empty"),
        ([{"passed": 0, "failed": 0, "resource_count": 0}], "empty"),
        ({"results": {"failed_checks": [], "passed_checks": []}, "summary": {}}, "empty"),
    ],
)
def test_checkov_s_summaries(parse: Parse, document: Any, expected: str) -> None:
    assert one(parse(document))[:2] == (expected, "checkov")


def test_checkov_s_sarif_behind_console_text_with_progress_lines(parse: Parse, make: Any) -> None:
    sarif = json.dumps(make.sarif_report("Checkov", {"ruleId": "CKV_1", "message": {"text": "m"}}), indent=2)
    text = (
        f"[ terraform framework ]: 100%|####|[3/3], Current File Scanned=a.tf\n\n       _\n{sarif}\nMore: x\n"
    )
    report = parse(text).files[0]
    assert (report.tool, report.format, report.raw_findings) == ("checkov", "sarif", 1)
    assert report.verdict == "parsed_with_warnings"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_sarif_in_windows_encodings(parse: Parse, make: Any, encoding: str) -> None:
    assert one(parse(json.dumps(make.semgrep_sarif()).encode(encoding)))[1:] == ("semgrep", "sarif", 1)


def test_sarif_rules_and_files_by_index_in_extensions_and_artifacts(parse: Parse) -> None:
    rule = {"id": "E1", "properties": {"tags": ["external/cwe/cwe-089"]}}
    place = {"physicalLocation": {"artifactLocation": {"index": 0}, "region": {"startLine": 2}}}
    result = {
        "rule": {"index": 0, "toolComponent": {"index": 0}},
        "message": {"text": "m"},
        "locations": [place],
    }
    run = {
        "tool": {"driver": {"name": "CodeQL"}, "extensions": [{"name": "pack", "rules": [rule]}]},
        "artifacts": [{"location": {"uri": "src/a.py"}}],
        "results": [result],
    }
    (finding,) = parse({"version": "2.1.0", "runs": [run]}).findings
    assert (finding.rule, finding.cwes) == ("E1", ("CWE-89",))
    assert finding.location is not None
    assert finding.location.path == "src/a.py"


def test_a_zip_of_a_merged_report_its_parts_and_a_twin_pair_yields_each_finding_once(
    tmp_path: Path, make: Any, limits: Limits
) -> None:
    packages = ["keyring-js", "cbor-js"]
    parts = [make.trivy_sarif(package, f"CVE-2099-000{n}") for n, package in enumerate(packages, 1)]
    runs = [part["runs"][0] for part in parts]
    whole = {**parts[0], "runs": [{**runs[0], "results": [run["results"][0] for run in runs]}]}
    whole["runs"][0]["tool"]["driver"]["rules"] = [run["tool"]["driver"]["rules"][0] for run in runs]
    semgrep = make.semgrep_report(
        make.semgrep_result(lines="requires login", fingerprint="requires login", fix="urandom(32)")
    )
    members = {
        "all/trivy.sarif": whole,
        "parts/one.sarif": parts[0],
        "parts/two.sarif": parts[1],
        "semgrep.json": semgrep,
        "semgrep.sarif": make.semgrep_sarif(),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, value in members.items():
            archive.writestr(name, json.dumps(value))
    path = tmp_path / "delivery.zip"
    path.write_bytes(stream.getvalue())
    parsed = parse_paths([path], limits)
    assert sum(report.raw_findings for report in parsed.files) == 6
    code, *advisories = parsed.findings
    assert [(one.tool, one.package and one.package.name) for one in advisories] == [
        ("trivy", "keyring-js"),
        ("trivy", "cbor-js"),
    ]
    assert all(len(one.occurrences) == 2 and one.fix.version == "3.0.1" for one in advisories)
    assert (code.fix.provenance, code.fix.edit, code.cwes) == ("edit_tool", "urandom(32)", ("CWE-330",))
    assert code.location is not None
    assert code.location.snippet == ((7, "challenge = b'constant'"),), "the code comes from the SARIF"
    assert len(code.occurrences) == 2
    assert "requires login" not in json.dumps([code.to_json()["location"], code.fingerprint, code.fix.edit])
