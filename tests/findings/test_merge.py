from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.findings.merge.merge import merge
from jobs.findings.model.finding import Finding, Fix, Location, Occurrence, Package
from jobs.findings.parse import Limits, Parsed, parse_paths
from jobs.findings.scanners.registry import KNOWN_TOOLS

Parse = Callable[..., Parsed]


def test_json_takes_the_code_from_its_sarif_twin_and_keeps_its_own_edit(
    parse: Parse, reports: dict[str, bytes]
) -> None:
    parsed = parse(reports["semgrep.json"], reports["semgrep.sarif"])
    assert len(parsed.findings) == 1
    finding = parsed.findings[0]
    assert finding.location is not None
    assert finding.location.snippet == ((7, "challenge = b'constant'"),)
    assert (finding.fix.provenance, finding.fix.edit, finding.format) == ("edit_tool", "urandom(32)", "json")
    assert len(finding.occurrences) == 2


def test_a_merged_trivy_report_yields_each_finding_once(parse: Parse, make: Any) -> None:
    one, two = make.trivy_vulnerability(), make.trivy_vulnerability(PkgName="session-js")
    parsed = parse(
        make.trivy_report(one), make.trivy_report(two), make.trivy_report(one, two), make.trivy_sarif()
    )
    assert sum(report.raw_findings for report in parsed.files) == 5
    assert sorted(len(finding.occurrences) for finding in parsed.findings) == [2, 3]
    assert all(finding.package and finding.package.purl for finding in parsed.findings)


def test_the_advisories_of_an_osv_group_are_one_finding(parse: Parse, make: Any) -> None:
    parsed = parse(
        make.osv_report(
            make.osv_advisory("GHSA-aaaa", "CVE-2099-7"),
            make.osv_advisory("PYSEC-1", "CVE-2099-7", fixed="2.1.5"),
        )
    )
    assert len(parsed.findings) == 1
    finding = parsed.findings[0]
    assert (finding.rule, finding.aliases) == ("CVE-2099-7", ("GHSA-aaaa", "PYSEC-1"))
    assert finding.fix.version == "2.1.5"  # both advisories must be satisfied


def test_zap_xml_and_json_of_one_scan_are_one_finding(parse: Parse, reports: dict[str, bytes]) -> None:
    parsed = parse(reports["zap.json"], reports["zap.xml"])
    assert (len(parsed.findings), len(parsed.findings[0].occurrences)) == (1, 2)


def test_checkov_json_and_sarif_of_one_check_are_one_finding(parse: Parse, make: Any) -> None:
    snippet = {"text": 'resource "store" "keys" {\n}\n'}
    region = {"startLine": 3, "endLine": 4, "snippet": snippet}
    place = {"physicalLocation": {"artifactLocation": {"uri": "infra/store.tf"}, "region": region}}
    result = {
        "ruleId": "CKV_TEST_1",
        "message": {"text": "Ensure the store is encrypted"},
        "locations": [place],
    }
    parsed = parse(make.checkov_report(make.checkov_check()), make.sarif_report("Checkov", result))
    assert (len(parsed.findings), parsed.findings[0].resource) == (1, "store.keys")


def test_equal_code_at_two_lines_of_a_file_is_two_findings(parse: Parse, make: Any) -> None:
    first = make.semgrep_result(lines="assert key")
    second = {**first, "start": {"line": 9, "col": 13}, "end": {"line": 9, "col": 23}}
    parsed = parse(make.semgrep_report(first, second), make.semgrep_report(second))
    assert len({finding.fingerprint for finding in parsed.findings}) == 2


def test_a_shifted_line_keeps_its_fingerprint(parse: Parse, make: Any) -> None:
    first = make.semgrep_result(lines="assert key")
    moved = {**first, "start": {"line": 90, "col": 13}, "end": {"line": 90, "col": 23}}
    before = parse(make.semgrep_report(first)).findings[0].fingerprint
    assert parse(make.semgrep_report(moved)).findings[0].fingerprint == before


def test_withheld_code_is_not_taken_from_one_of_two_that_differ(parse: Parse, make: Any) -> None:
    hidden = make.semgrep_report(make.semgrep_result(lines="requires login", fix="x"))
    one, two = (make.semgrep_report(make.semgrep_result(lines=code)) for code in ("a = 1", "b = 2"))
    parsed = parse(hidden, one, two)
    assert len(parsed.findings) == 3
    edited = next(finding for finding in parsed.findings if finding.fix.edit == "x")
    assert edited.location is not None
    assert edited.location.snippet == ()


def test_the_order_of_files_never_changes_the_outcome(
    tmp_path: Path, reports: dict[str, bytes], limits: Limits
) -> None:
    paths = []
    for name, data in reports.items():
        path = tmp_path / name
        path.write_bytes(data)
        paths.append(path)
    expected = [finding.to_json() for finding in parse_paths(paths, limits).findings]
    for seed in range(20):
        random.Random(seed).shuffle(paths)
        assert [finding.to_json() for finding in parse_paths(paths, limits).findings] == expected


_lines = st.one_of(st.none(), st.integers(1, 3))
_locations = st.builds(
    lambda line, column, code: Location(
        "a.py", line, line, column, snippet=((line, code),) if line and code else ()
    ),
    _lines,
    _lines,
    st.sampled_from(["", "x = 1", "y = 2"]),
)
_packages = st.builds(Package, st.sampled_from(["a", "b"]), st.sampled_from([None, "1.0", "2.0"]))
_fixes = st.sampled_from(
    [Fix(), Fix("advice", advice="do"), Fix("edit_tool", edit="z"), Fix("version", version="3")]
)
_findings = st.builds(
    Finding,
    fingerprint=st.just(""),
    tool=st.sampled_from(["semgrep", "osv"]),
    format=st.sampled_from(["json", "sarif"]),
    rule=st.sampled_from(["r1", "r2", "CVE-1"]),
    title=st.sampled_from(["t", "u"]),
    aliases=st.lists(st.sampled_from(["CVE-1", "GHSA-1", "r2"]), max_size=2).map(tuple),
    location=st.one_of(st.none(), _locations),
    package=st.one_of(st.none(), _packages),
    resource=st.sampled_from([None, "res"]),
    fix=_fixes,
    occurrences=st.integers(0, 5).map(lambda number: (Occurrence("0" * 64, None, f"/{number}"),)),
)


@pytest.mark.slow
@given(st.lists(_findings, max_size=12), st.randoms())
def test_merging_forgets_no_occurrence_and_heeds_no_order(
    findings: list[Finding], chance: random.Random
) -> None:
    merged = merge(findings, KNOWN_TOOLS)
    shuffled = list(findings)
    chance.shuffle(shuffled)
    assert merge(shuffled, KNOWN_TOOLS) == merged
    assert {o for one in merged for o in one.occurrences} == {o for one in findings for o in one.occurrences}
    assert len({one.fingerprint for one in merged}) == len(merged)
    assert json.dumps([one.to_json() for one in merge([*findings, *findings], KNOWN_TOOLS)]) == json.dumps(
        [one.to_json() for one in merged]
    )
