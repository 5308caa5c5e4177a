"""The shipped reports are of the shipped app, and have the true shapes of their scanners."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import defusedxml.ElementTree
import yaml

from jobs.fs.files import read_json

DATA = Path(__file__).parents[2] / "daemon" / "demo" / "data"
REPORTS = DATA / "reports"
APP = DATA / "app"


def shipped_text() -> list[Path]:
    return [path for path in DATA.rglob("*") if path.is_file()]


def test_no_shipped_file_names_a_home_or_this_machine() -> None:
    for path in shipped_text():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"/(home|Users|root|work|private)/\w|/tmp/(?!\w+(\.tmp|-XXXXXX))\w", text), path


def test_each_report_stays_below_200_kilobytes() -> None:
    names = sorted(path.name for path in REPORTS.iterdir())
    assert names == [
        "checkov.json", "osv.json", "semgrep.json", "semgrep.sarif", "trivy.json", "trivy.sarif", "zap.json",
        "zap.xml",
    ]  # fmt: skip
    assert all(path.stat().st_size < 200_000 for path in REPORTS.iterdir())


def semgrep_edits() -> list[dict[str, Any]]:
    return [result for result in read_json(REPORTS / "semgrep.json")["results"] if "fix" in result["extra"]]


def test_the_semgrep_report_holds_at_least_forty_edits_of_twelve_rules() -> None:
    edits = semgrep_edits()
    assert len(edits) >= 40
    assert len({edit["check_id"] for edit in edits}) >= 12
    assert any(edit["extra"]["fix"] == "" for edit in edits)


def test_every_semgrep_edit_stands_where_the_app_has_it_and_leaves_python_parsable() -> None:
    for edit in semgrep_edits():
        code = (APP / edit["path"]).read_bytes()
        start, end = edit["start"]["offset"], edit["end"]["offset"]
        after = code[:start] + edit["extra"]["fix"].encode() + code[end:]
        assert after != code
        assert code[:start].count(b"\n") + 1 == edit["start"]["line"]
        if edit["path"].endswith(".py"):
            ast.parse(after)


def test_the_semgrep_sarif_holds_the_same_findings_with_their_code() -> None:
    results = read_json(REPORTS / "semgrep.sarif")["runs"][0]["results"]
    assert len(results) == len(read_json(REPORTS / "semgrep.json")["results"])
    assert all(r["locations"][0]["physicalLocation"]["region"]["snippet"]["text"] for r in results)


def test_every_rule_with_an_edit_is_in_the_rules_file() -> None:
    rules = yaml.safe_load((DATA / "rules" / "webauthn.yaml").read_text(encoding="utf-8"))["rules"]
    fixing = {f"rules.{rule['id']}" for rule in rules if "fix" in rule}
    assert {edit["check_id"] for edit in semgrep_edits()} <= fixing


def test_the_checkov_report_holds_failed_checks_with_their_code() -> None:
    report = read_json(REPORTS / "checkov.json")
    failed = [check for part in report for check in part["results"]["failed_checks"]]
    assert {part["check_type"] for part in report} == {
        "dockerfile",
        "github_actions",
        "kubernetes",
        "terraform",
    }
    assert len(failed) == sum(part["summary"]["failed"] for part in report) >= 40
    assert all((APP / check["file_path"].lstrip("/")).is_file() for check in failed)


def trivy_vulnerabilities() -> list[dict[str, Any]]:
    results = read_json(REPORTS / "trivy.json")["Results"]
    return [vulnerability for result in results for vulnerability in result.get("Vulnerabilities", ())]


def test_the_trivy_report_has_its_true_shape() -> None:
    report = read_json(REPORTS / "trivy.json")
    assert report["SchemaVersion"] == 2
    assert {r["Type"] for r in report["Results"]} >= {"npm", "pip", "pom", "gomod", "debian", "dockerfile"}
    statuses = {vulnerability["Status"] for vulnerability in trivy_vulnerabilities()}
    assert {"fixed", "will_not_fix"} <= statuses
    assert any(", " in vulnerability.get("FixedVersion", "") for vulnerability in trivy_vulnerabilities())
    found = [m for r in report["Results"] for m in r.get("Misconfigurations", ())]
    assert {m["Status"] for m in found} == {"PASS", "FAIL"}
    for one in found:
        for line in one["CauseMetadata"]["Code"]["Lines"]:
            target = next(r["Target"] for r in report["Results"] if one in r.get("Misconfigurations", ()))
            assert (APP / target).read_text().splitlines()[line["Number"] - 1] == line["Content"]


def test_the_trivy_sarif_holds_the_same_scan() -> None:
    run = read_json(REPORTS / "trivy.sarif")["runs"][0]
    packages = [r for r in run["results"] if r["message"]["text"].startswith("Package: ")]
    assert run["tool"]["driver"]["name"] == "Trivy"
    assert len(packages) == len(trivy_vulnerabilities())
    assert all(run["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] == r["ruleId"] for r in run["results"])


def osv_packages() -> list[dict[str, Any]]:
    return [
        package for result in read_json(REPORTS / "osv.json")["results"] for package in result["packages"]
    ]


def test_the_osv_report_groups_every_record_and_names_several_packages() -> None:
    several = 0
    for package in osv_packages():
        grouped = {name for group in package["groups"] for name in group["ids"]}
        assert grouped == {record["id"] for record in package["vulnerabilities"]}
        for record in package["vulnerabilities"]:
            names = [each["package"]["name"] for each in record["affected"]]
            assert package["package"]["name"] in names
            several += len(set(names)) > 1
    assert several >= 3


def test_trivy_and_osv_name_at_least_forty_package_vulnerabilities_with_a_fixed_version() -> None:
    fixed = {
        (each["PkgName"].lower(), each["VulnerabilityID"])
        for each in trivy_vulnerabilities()
        if each.get("FixedVersion")
    }
    for package in osv_packages():
        for group in package["groups"]:
            records = [record for record in package["vulnerabilities"] if record["id"] in group["ids"]]
            if '"fixed"' in json.dumps(records):
                cve = next((alias for alias in group["aliases"] if alias.startswith("CVE-")), group["ids"][0])
                fixed.add((package["package"]["name"].lower(), cve))
    assert len(fixed) >= 40


def test_the_packages_of_the_reports_are_declared_by_the_app() -> None:
    manifests = "".join(
        path.read_text() for path in APP.rglob("*") if path.name in
        {"requirements.txt", "package.json", "pom.xml", "build.gradle.kts", "go.mod"}
    ).lower()  # fmt: skip
    names = [
        each["PkgName"] for each in trivy_vulnerabilities() if "deb/" not in each["PkgIdentifier"]["PURL"]
    ]
    for name in [*names, *(package["package"]["name"] for package in osv_packages())]:
        assert name.lower().rpartition(":")[2] in manifests


def test_the_zap_reports_hold_the_same_alerts() -> None:
    alerts = [alert for site in read_json(REPORTS / "zap.json")["site"] for alert in site["alerts"]]
    root = defusedxml.ElementTree.parse(REPORTS / "zap.xml").getroot()
    assert root is not None
    assert root.tag == "OWASPZAPReport"
    assert [item.findtext("alertRef") for item in root.iter("alertitem")] == [a["alertRef"] for a in alerts]
    assert len({a["pluginid"] for a in alerts}) < len({a["alertRef"] for a in alerts})
    assert all(
        isinstance(a[key], str) for a in alerts for key in ("riskcode", "confidence", "cweid", "count")
    )


def test_the_app_says_that_it_is_a_training_specimen() -> None:
    assert "must never be deployed" in (APP / "README.md").read_text(encoding="utf-8")
