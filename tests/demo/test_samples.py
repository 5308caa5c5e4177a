from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import defusedxml.ElementTree
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daemon.demo.crossvul_sample import crossvul_rows
from daemon.demo.cvefixes_sample import cvefixes_rows
from daemon.demo.git_show import Change, blob_id, file_diff, taken_and_given
from daemon.demo.samples import write_samples
from daemon.demo.specimen import all_fixes, make_specimen, source
from jobs.fs.files import read_json, read_jsonl

DATA = Path(__file__).parents[2] / "daemon" / "demo" / "data"
REPORTS = DATA / "reports"
APP = DATA / "app"

CROSSVUL_COLUMNS = [
    "cwe_id", "cwe_description", "language", "vulnerable_code", "fixed_code", "file_pair_id", "source",
    "language_dir",
]  # fmt: skip
CVEFIXES_COLUMNS = [
    "cve_id", "hash", "repo_url", "cve_description", "cvss2_base_score", "cvss3_base_score", "published_date",
    "severity", "cwe_id", "cwe_name", "cwe_description", "commit_message", "commit_date", "version_tag",
    "repo_total_files", "repo_total_commits", "file_paths", "language", "diff_stats", "diff_with_context",
    "vulnerable_code", "fixed_code", "security_keywords",
]  # fmt: skip
HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")

LINE = st.text(alphabet="ab {}\t-+@", max_size=4)
TEXT = st.lists(LINE, max_size=25).map(lambda lines: "".join(line + "\n" for line in lines))


def hunk_bodies(diff: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Each hunk's header and its lines, read by the counts in the header as `patch` does."""
    lines = iter(diff.splitlines())
    for line in lines:
        match = HUNK.match(line)
        if match is None:
            continue
        old, new = (int(match[n] if match[n] is not None else 1) for n in (2, 4))
        body: list[str] = []
        while old or new:
            body.append(next(lines))
            old -= body[-1][0] in " -"
            new -= body[-1][0] in " +"
        yield match, body


def patched(before: str, diff: str) -> str:
    """Apply a diff by hand; the lines of every hunk must stand where its header says."""
    old, new, at = before.splitlines(), list[str](), 0
    for match, body in hunk_bodies(diff):
        start = int(match[1]) - (match[2] != "0")
        new += old[at:start]
        taken = [line[1:] for line in body if line[0] in " -"]
        assert old[start : start + len(taken)] == taken
        new += [line[1:] for line in body if line[0] in " +"]
        at = start + len(taken)
    return "".join(line + "\n" for line in new + old[at:])


def crossvul() -> list[dict[str, Any]]:
    return list(read_jsonl(DATA / "public" / "crossvul" / "train.jsonl"))


def cvefixes() -> list[dict[str, Any]]:
    return list(read_jsonl(DATA / "public" / "cvefixes" / "train.jsonl"))


def plain_diffs() -> list[dict[str, Any]]:
    return [row for row in cvefixes() if "\nMerge: " not in row["diff_with_context"]]


def shipped_text() -> list[Path]:
    return [path for path in DATA.rglob("*") if path.is_file()]


# --- the generator


def test_the_shipped_samples_are_what_the_generator_writes(tmp_path: Path) -> None:
    written = write_samples(tmp_path)
    assert written == {"crossvul": 220, "cvefixes": 160}
    for name in written:
        shipped = DATA / "public" / name / "train.jsonl"
        assert (tmp_path / name / "train.jsonl").read_bytes() == shipped.read_bytes()


def test_the_generator_yields_the_same_rows_twice() -> None:
    assert list(crossvul_rows()) == list(crossvul_rows())
    assert list(cvefixes_rows()) == list(cvefixes_rows())


def test_each_sample_file_stays_below_700_kilobytes() -> None:
    assert all(path.stat().st_size < 700_000 for path in (DATA / "public").rglob("*.jsonl"))


@pytest.mark.parametrize("number", range(len(all_fixes())))
def test_every_template_is_filled_and_changes_one_to_six_lines(number: int) -> None:
    specimen = make_specimen(all_fixes()[number], source("test", number))
    assert not re.search(r"@[A-Za-z]+\d?@", specimen.before + specimen.after + specimen.subject)
    taken, given_ = taken_and_given([Change("a", specimen.before, specimen.after)])
    assert specimen.before != specimen.after
    assert all(15 <= text.count("\n") <= 66 for text in (specimen.before, specimen.after))
    assert max(len(taken.splitlines()), len(given_.splitlines())) <= 6


def test_every_python_file_of_the_samples_parses() -> None:
    rows = [row for row in crossvul() if row["language"] == "python"]
    assert len(rows) > 30
    for row in rows:
        ast.parse(row["vulnerable_code"])
        ast.parse(row["fixed_code"])


# --- CrossVul


def test_crossvul_rows_have_exactly_the_true_columns_all_text() -> None:
    for row in crossvul():
        assert list(row) == CROSSVUL_COLUMNS
        assert all(isinstance(value, str) for value in row.values())


def test_the_crossvul_sample_covers_seven_languages_and_twenty_families() -> None:
    rows = crossvul()
    assert {row["language"] for row in rows} == {"python", "javascript", "java", "go", "php", "c", "ruby"}
    assert len({row["cwe_id"] for row in rows}) >= 20


def test_the_crossvul_sample_holds_the_true_oddities() -> None:
    rows = crossvul()
    assert any(row["vulnerable_code"] == row["fixed_code"] for row in rows)
    assert any(row["vulnerable_code"] == "" for row in rows)
    assert any(row["fixed_code"] == "" for row in rows)
    assert any("unittest" in row["vulnerable_code"] for row in rows)
    assert any(row["vulnerable_code"].startswith("# Envelope") for row in rows)
    assert any(row["language"] == "php" and row["language_dir"] == "inc" for row in rows)
    assert sum(row["file_pair_id"].endswith("_1") for row in rows) > 20
    pairs = [row["file_pair_id"] for row in rows]
    assert len(pairs) == len(set(pairs))
    codes = [row["vulnerable_code"] for row in rows]
    assert len(codes) - len(set(codes)) == 1


# --- CVEfixes


def test_cvefixes_rows_have_exactly_the_true_columns() -> None:
    for row in cvefixes():
        assert list(row) == CVEFIXES_COLUMNS
        assert isinstance(row["file_paths"], list)
        assert isinstance(row["security_keywords"], list)
        assert set(json.loads(row["diff_stats"])) == {"files", "insertions", "deletions"}
        assert row["language"][0].isupper()


def test_a_cve_description_is_the_repr_of_a_list_with_an_english_text() -> None:
    for row in cvefixes():
        texts = ast.literal_eval(row["cve_description"])
        assert [text["value"] for text in texts if text["lang"] == "en"]


def test_the_cvefixes_sample_holds_the_true_oddities() -> None:
    rows = cvefixes()
    assert any(row["severity"] == "nan" for row in rows)
    assert any(row["cwe_id"] is None for row in rows)
    assert any(row["cwe_id"] == "NVD-CWE-noinfo" for row in rows)
    assert any("diff --cc " in row["diff_with_context"] for row in rows)
    assert any("diff --" not in row["diff_with_context"] for row in rows)
    assert any("CHANGELOG.md" in row["file_paths"] for row in rows)
    assert any(path.startswith("tests/") for row in rows for path in row["file_paths"])
    assert any(row["vulnerable_code"] == row["fixed_code"] != "" for row in rows)
    assert any(row["vulnerable_code"] == "" != row["fixed_code"] for row in rows)
    by_hash: dict[str, set[str]] = {}
    by_cve: dict[str, set[str]] = {}
    for row in rows:
        by_hash.setdefault(row["hash"], set()).add(row["cwe_id"])
        by_cve.setdefault(row["cve_id"], set()).add(row["hash"])
    assert any(len(cwes) == 2 for cwes in by_hash.values())
    assert any(len(hashes) == 2 for hashes in by_cve.values())


def test_a_commit_names_each_file_once() -> None:
    assert all(len(row["file_paths"]) == len(set(row["file_paths"])) for row in cvefixes())


def test_no_cve_and_no_address_of_the_samples_can_be_real() -> None:
    for row in cvefixes():
        assert row["cve_id"].startswith("CVE-2099-")
        assert row["repo_url"].startswith("https://git.example.org/")


def test_the_code_columns_are_the_joined_lines_of_the_diff() -> None:
    for row in plain_diffs():
        lines = [line for _, body in hunk_bodies(row["diff_with_context"]) for line in body]
        assert row["vulnerable_code"] == "\n".join(line[1:] for line in lines if line[0] == "-")
        assert row["fixed_code"] == "\n".join(line[1:] for line in lines if line[0] == "+")


def test_each_side_of_each_diff_can_be_rebuilt_from_its_hunks() -> None:
    for row in plain_diffs():
        files = re.split(r"(?m)^(?=diff --git )", row["diff_with_context"])[1:]
        assert [re.match(r"diff --git a/(\S+) b/\1\n", part)[1] for part in files] == row["file_paths"]  # type: ignore[index]
        for part in files:
            assert list(hunk_bodies(part))


def test_some_fixes_stand_in_both_samples() -> None:
    diffs = {row["fixed_code"] for row in cvefixes()}
    pairs = [Change("a", row["vulnerable_code"], row["fixed_code"]) for row in crossvul()]
    assert sum(taken_and_given([pair])[1] in diffs for pair in pairs if pair.before and pair.after) >= 5


@given(before=TEXT, after=TEXT)
def test_a_diff_turns_the_file_before_into_the_file_after(before: str, after: str) -> None:
    assert patched(before, file_diff(Change("a.txt", before, after))) == after


def test_the_blob_id_is_gits_own() -> None:
    assert blob_id("what is up, doc?") == "bd9dbf5"  # the example in Pro Git, chapter 10.2
    assert blob_id("") == "e69de29"


# --- the reports


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


def test_git_itself_applies_a_generated_diff(tmp_path: Path) -> None:
    specimen = make_specimen(all_fixes()[0], source("git", 0))
    (tmp_path / "a.txt").write_text(specimen.before)
    (tmp_path / "fix.diff").write_text(file_diff(Change("a.txt", specimen.before, specimen.after)))
    subprocess.run(["git", "apply", "fix.diff"], cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "a.txt").read_text() == specimen.after
