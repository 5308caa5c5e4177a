from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs.findings.parse import Parsed

Parse = Callable[..., Parsed]


def test_every_scanner_is_told_by_content_whatever_the_name(parse: Parse, reports: dict[str, bytes]) -> None:
    for number, (name, data) in enumerate(reports.items()):
        report = next(f for f in parse(**{f"file{number}": data}).files if f.path == f"file{number}")
        assert (report.tool, report.format) == tuple(name.split("."))
        assert report.verdict in {"parsed", "parsed_with_warnings"}


@pytest.mark.parametrize(
    ("document", "name"),
    [
        ({"generated_at": "now", "metrics": {}, "results": [], "errors": []}, "Bandit"),
        ({"results": [{"rule_id": "A", "long_id": "a-b", "rule_provider": "aws"}]}, "tfsec"),
        ({"report_meta": {}, "vulnerabilities": []}, "Safety"),
        ([["django", "<2", "1.0", "text", "123"]], "Safety"),
        ({"matches": [], "descriptor": {"name": "grype"}}, "Grype"),
        ([{"RuleID": "key", "Secret": "s3cr3t", "File": "a"}], "Gitleaks.*secrets must never"),
        ({"bomFormat": "CycloneDX", "components": []}, "CycloneDX"),
        ({"spdxVersion": "SPDX-2.3", "SPDXID": "x"}, "SPDX"),
        (None, "bare null"),
        ([], r"bare \[\]"),
        ({}, "empty object"),
        ({"hello": 1}, "JSON object with hello"),
        (7, "JSON number"),
    ],
)
def test_known_others_and_strangers_are_refused_by_name(parse: Parse, document: Any, name: str) -> None:
    import re

    report = parse(document).files[0]
    assert report.verdict == "refused"
    assert report.reason is not None
    assert re.search(name, report.reason)
    assert (report.raw_findings, report.tool) == (0, None)


def test_a_gitleaks_sarif_is_refused_too(parse: Parse, make: Any) -> None:
    report = parse(make.sarif_report("gitleaks", {"ruleId": "key", "message": {"text": "s3cr3t"}})).files[0]
    assert report.verdict == "refused"
    assert "secrets must never reach training data" in str(report.reason)


def test_an_empty_results_object_is_called_ambiguous(parse: Parse) -> None:
    report = parse({"results": []}).files[0]
    assert (report.verdict, report.tool) == ("empty", None)
    assert "ambiguous" in report.warnings[0]


@pytest.mark.parametrize(
    ("document", "tool"),
    [
        ({"SchemaVersion": 2, "ArtifactName": "x"}, "trivy"),
        ({"results": [], "errors": []}, "semgrep"),
        ({"results": None, "experimental_config": {}}, "osv"),
        ({"@version": "2", "site": []}, "zap"),
        ({"passed": 0, "failed": 0, "resource_count": 0}, "checkov"),
        ({"version": "2.1.0", "runs": []}, "sarif_other"),
    ],
)
def test_an_empty_report_is_empty_and_names_its_tool(parse: Parse, document: Any, tool: str) -> None:
    report = parse(document).files[0]
    assert (report.verdict, report.tool, report.raw_findings) == ("empty", tool, 0)


def test_sarif_of_another_tool_keeps_its_name_and_its_results(parse: Parse, make: Any) -> None:
    place = {
        "physicalLocation": {"artifactLocation": {"uri": "file:///app/a%20b.c"}, "region": {"startLine": 3}}
    }
    result = {
        "ruleIndex": 0,
        "message": {"id": "said", "arguments": ["count"]},
        "locations": [place],
        "properties": {"tags": ["external/cwe/cwe-079"]},
    }
    rule = {
        "id": "C1",
        "messageStrings": {"said": {"text": "{0} is unset"}},
        "properties": {"security-severity": "9.1"},
    }
    parsed = parse(make.sarif_report("OtherTool", result, {**result, "kind": "pass"}, rules=[rule]))
    finding = parsed.findings[0]
    assert parsed.files[0].tool == "sarif_other"
    assert (parsed.files[0].raw_findings, len(parsed.findings)) == (2, 1)
    assert (finding.tool, finding.rule, finding.message) == ("OtherTool", "C1", "count is unset")
    assert finding.location is not None
    assert (finding.location.path, finding.location.start_line) == ("/app/a b.c", 3)
    assert (finding.severity.level, finding.severity.score, finding.cwes) == ("critical", 9.1, ("CWE-79",))
    assert parsed.skipped[0].reason == "of kind pass"


def test_a_bad_record_is_skipped_with_its_pointer_and_its_file_goes_on(parse: Parse, make: Any) -> None:
    parsed = parse(make.trivy_report(make.trivy_vulnerability(), 5, {"PkgName": "x"}))
    assert (parsed.files[0].verdict, parsed.files[0].raw_findings) == ("parsed_with_warnings", 3)
    assert [entry.pointer for entry in parsed.skipped] == [
        "/Results/0/Vulnerabilities/1",
        "/Results/0/Vulnerabilities/2",
    ]
    assert len(parsed.findings) == 1
