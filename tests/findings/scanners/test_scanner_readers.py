from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs.findings.model.finding import Finding
from jobs.findings.parse import Parsed

Parse = Callable[..., Parsed]


def only(parsed: Parsed) -> Finding:
    assert len(parsed.findings) == 1
    return parsed.findings[0]


def test_trivy_takes_the_fixed_version_on_the_installed_branch(parse: Parse, make: Any) -> None:
    finding = only(parse(make.trivy_report(make.trivy_vulnerability())))
    assert finding.fix.provenance == "version"
    assert (finding.fix.version, finding.fix.alternatives) == ("3.0.1", ("4.1.1", "5.0.1", "6.0.1"))
    assert finding.package is not None
    assert (finding.package.ecosystem, finding.package.manifest) == ("npm", "package-lock.json")
    assert finding.package.purl == "pkg:npm/keyring-js@3.0.0"
    assert (finding.severity.level, finding.severity.score, finding.cwes) == ("high", 8.1, ("CWE-294",))


@pytest.mark.parametrize("status", ["will_not_fix", "end_of_life", "fix_deferred"])
def test_trivy_says_so_where_no_fix_will_come(parse: Parse, make: Any, status: str) -> None:
    fix = only(parse(make.trivy_report(make.trivy_vulnerability(Status=status)))).fix
    assert (fix.provenance, fix.version) == ("none", None)
    assert status in str(fix.advice)


def test_trivy_never_offers_a_downgrade(parse: Parse, make: Any) -> None:
    fix = only(parse(make.trivy_report(make.trivy_vulnerability(FixedVersion="2.9.9, 1.0.0")))).fix
    assert (fix.provenance, fix.version) == ("link", None)


def test_trivy_sarif_reads_the_package_from_the_message_and_not_from_the_help(
    parse: Parse, make: Any
) -> None:
    finding = only(parse(make.trivy_sarif()))
    assert finding.package is not None
    assert (finding.package.name, finding.package.version) == ("keyring-js", "3.0.0")
    assert (finding.fix.version, finding.location) == ("3.0.1", None)


@pytest.mark.parametrize("wrap", ["legacy", "kubernetes"])
def test_trivy_s_other_shapes_hold_the_same_records(parse: Parse, make: Any, wrap: str) -> None:
    results = make.trivy_report(make.trivy_vulnerability())["Results"]
    shapes = {"legacy": results, "kubernetes": {"ClusterName": "c", "Resources": [{"Results": results}]}}
    assert only(parse(shapes[wrap])).rule == "CVE-2099-0001"


def test_trivy_counts_failed_checks_secrets_and_licences_only(parse: Parse, make: Any) -> None:
    lines = [{"Number": 2, "Content": "USER root", "IsCause": True}]
    check = {
        "ID": "DS002",
        "Title": "root user",
        "Severity": "HIGH",
        "Resolution": "Add a user.",
        "CauseMetadata": {"StartLine": 2, "EndLine": 2, "Code": {"Lines": lines}},
    }
    report = make.trivy_report(target="Dockerfile", kind="dockerfile")
    report["Results"][0] |= {
        "Misconfigurations": [check, {**check, "Status": "PASS"}, {**check, "ID": "DS003", "Status": "FAIL"}],
        "Secrets": [
            {
                "RuleID": "key",
                "Title": "Key",
                "StartLine": 9,
                "EndLine": 9,
                "Match": "***",
                "Severity": "HIGH",
            }
        ],
        "Licenses": [{"Name": "GPL-3.0", "PkgName": "x", "Severity": "HIGH"}],
    }
    parsed = parse(report)
    assert (parsed.files[0].raw_findings, len(parsed.findings)) == (4, 4)
    check_found = next(one for one in parsed.findings if one.rule == "AVD-DS-0002")
    assert check_found.location is not None
    assert check_found.location.snippet == ((2, "USER root"),)
    assert (check_found.fix.provenance, check_found.fix.advice) == ("advice", "Add a user.")
    secret = next(one for one in parsed.findings if one.rule == "key")
    assert secret.location is not None
    assert secret.location.snippet == ()


def test_semgrep_s_fix_is_the_exact_edit_and_its_code_is_there(parse: Parse, make: Any) -> None:
    finding = only(parse(make.semgrep_report(make.semgrep_result(fix="", lines="challenge = b'constant'"))))
    assert (finding.fix.provenance, finding.fix.edit) == ("edit_tool", "")
    assert finding.location is not None
    assert (finding.location.start_column, finding.location.end_column) == (13, 23)
    assert finding.location.snippet == ((7, "challenge = b'constant'"),)
    assert finding.cwes == ("CWE-330",)


def test_semgrep_s_fixed_lines_become_the_edit_of_the_region(parse: Parse, make: Any) -> None:
    result = make.semgrep_result(lines="challenge = b'constant'", fixed_lines=["challenge = urandom(32)"])
    result["end"]["col"] = 24
    assert only(parse(make.semgrep_report(result))).fix.edit == "urandom(32)"
    outside = make.semgrep_result(lines="challenge = b'constant'", fixed_lines=["other = urandom(32)"])
    assert only(parse(make.semgrep_report(outside))).fix.edit is None


def test_the_words_requires_login_reach_no_finding(parse: Parse, make: Any) -> None:
    hidden = make.semgrep_result(lines="requires login", fingerprint="requires login")
    finding = only(parse(make.semgrep_report(hidden)))
    assert finding.location is not None
    assert finding.location.snippet == ()
    plain = only(parse(make.semgrep_report(make.semgrep_result())))
    assert plain.fingerprint == finding.fingerprint


def test_semgrep_s_sarif_fix_is_no_edit_and_a_suppressed_result_no_finding(parse: Parse, make: Any) -> None:
    assert only(parse(make.semgrep_sarif())).fix.edit is None
    parsed = parse(make.semgrep_sarif(suppressions=[{"kind": "inSource"}]))
    assert (parsed.files[0].raw_findings, parsed.findings, parsed.skipped[0].reason) == (1, (), "suppressed")


def test_semgrep_s_supply_chain_rules_name_package_and_version(parse: Parse, make: Any) -> None:
    dependency = {
        "package": "keyring",
        "version": "1.0.0",
        "ecosystem": "pypi",
        "lockfile_path": "poetry.lock",
    }
    metadata = {"sca-fix-versions": [{"other": "1.0.1"}, {"Keyring": "1.2.0"}]}
    extra = {"sca_info": {"dependency_match": {"found_dependency": dependency}}, "metadata": metadata}
    finding = only(parse(make.semgrep_report(make.semgrep_result(**extra))))
    assert (finding.fix.provenance, finding.fix.version) == ("version", "1.2.0")


def test_osv_takes_the_fix_of_the_range_that_holds_the_installed_version(parse: Parse, make: Any) -> None:
    finding = only(parse(make.osv_report(make.osv_advisory("GHSA-aaaa"))))
    assert (finding.fix.provenance, finding.fix.version) == ("version", "2.1.4")
    assert finding.fix.alternatives == ("3.0.2",)
    assert (finding.severity.level, finding.severity.score, finding.severity.raw) == (
        "medium",
        9.8,
        "MODERATE",
    )


def test_osv_has_no_version_where_only_the_last_affected_one_is_known(parse: Parse, make: Any) -> None:
    advisory = make.osv_advisory("GHSA-aaaa")
    events = [{"introduced": "0"}, {"last_affected": "2.5"}]
    advisory["affected"][2]["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    assert only(parse(make.osv_report(advisory))).fix.version is None


def test_a_withdrawn_advisory_is_counted_but_is_no_finding(parse: Parse, make: Any) -> None:
    parsed = parse(make.osv_report({**make.osv_advisory("GHSA-aaaa"), "withdrawn": "2099-01-01T00:00:00Z"}))
    assert (parsed.files[0].raw_findings, len(parsed.findings)) == (1, 0)
    assert parsed.skipped[0].reason == "advisory withdrawn on 2099-01-01"


def test_osv_sarif_reads_the_message_and_the_table_of_fixes(parse: Parse, make: Any) -> None:
    text = (
        "## Remediation\n\n### Fixed Versions\n\n| Vulnerability ID | Package Name | Fixed Version |\n"
        "| --- | --- | --- |\n| GHSA-aaaa | other | 9.9.9 |\n| GHSA-aaaa | keyring | 2.1.4 |\n\nMore."
    )
    rule = {"id": "CVE-2099-7", "help": {"text": text}, "deprecatedIds": ["CVE-2099-7", "GHSA-aaaa"]}
    place = {"physicalLocation": {"artifactLocation": {"uri": "file:///app/requirements.txt"}}}
    message = "Package 'keyring@2.1.0' is vulnerable to 'CVE-2099-7' (also known as 'GHSA-aaaa')."
    result = {"ruleId": "CVE-2099-7", "message": {"text": message}, "locations": [place]}
    finding = only(parse(make.sarif_report("osv-scanner", result, rules=[rule])))
    assert (finding.fix.version, finding.aliases) == ("2.1.4", ("GHSA-aaaa",))
    assert finding.package is not None
    assert (finding.package.ecosystem, finding.package.manifest) == ("pypi", "/app/requirements.txt")


def test_zap_s_html_becomes_paragraphs_and_a_false_positive_no_finding(parse: Parse, make: Any) -> None:
    parsed = parse(make.zap_report(make.zap_alert(), make.zap_alert(confidence="0", alertRef="10011-2")))
    finding = only(parsed)
    assert parsed.files[0].raw_findings == 2
    assert finding.message == "A cookie is sent in clear.\nAnyone may read it & use it."
    assert (finding.fix.provenance, finding.fix.advice) == ("advice", "Set the flag.")
    assert finding.fix.link == "https://reference.example/cookies"
    assert (finding.rule, finding.cwes, finding.severity.level) == ("10011-1", ("CWE-614",), "low")


@pytest.mark.parametrize("cweid", ["-1", "0", None, ""])
def test_zap_s_absent_cwe_is_no_cwe(parse: Parse, make: Any, cweid: str | None) -> None:
    assert only(parse(make.zap_report(make.zap_alert(cweid=cweid)))).cwes == ()


def test_zap_s_api_export_gives_each_alert_once(parse: Parse, make: Any) -> None:
    alert = {"pluginId": "1", "alert": "A", "risk": "High", "url": "https://app.example/a", "cweId": "79"}
    parsed = parse({"alerts": [alert, {**alert, "url": "https://app.example/b"}, {**alert, "alert": "B"}]})
    assert (parsed.files[0].raw_findings, len(parsed.findings)) == (3, 2)


def test_checkov_s_empty_range_is_marked_invalid_and_its_path_is_the_repository_s(
    parse: Parse, make: Any
) -> None:
    finding = only(parse(make.checkov_report(make.checkov_check(file_line_range=[0, 0], code_block=None))))
    assert finding.location is not None
    assert (finding.location.path, finding.location.valid) == ("infra/store.tf", False)


def test_checkov_s_fixed_definition_is_used_only_for_its_own_resource(parse: Parse, make: Any) -> None:
    own = make.checkov_check(fixed_definition='resource "store" "keys" {\n encrypted = true\n}\n')
    other = make.checkov_check(fixed_definition='resource "queue" "jobs" {}\n')
    assert only(parse(make.checkov_report(own))).fix.provenance == "edit_untrusted"
    assert only(parse(make.checkov_report(other))).fix.provenance == "link"


def test_checkov_s_package_checks_are_advisories(parse: Parse, make: Any) -> None:
    details = {
        "id": "CVE-2099-5",
        "package_name": "keyring",
        "package_version": "1.0",
        "lowest_fixed_version": "1.1",
    }
    check = make.checkov_check(
        check_id="BC_VUL_2", file_path="/requirements.txt", repo_file_path="/requirements.txt"
    )
    finding = only(parse(make.checkov_report({**check, "vulnerability_details": details})))
    assert (finding.rule, finding.fix.version, finding.location) == ("CVE-2099-5", "1.1", None)
