"""The table of Checkov's true fixes: what Checkov itself said of each, and where a fix is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.examples.syntax import faults
from jobs.datasets.fixes.checkov.rules import FIX_RULES, apply_rule, fix_rule_of
from jobs.findings.model.finding import Finding, Location

DATA = Path(__file__).resolve().parents[2] / "data" / "datasets"
OUTCOMES: list[dict[str, Any]] = [
    json.loads(line) for line in (DATA / "checkov_outcomes.jsonl").read_text(encoding="utf-8").splitlines()
]


def failed_check(rule: str, path: str, code: str, resource: str = "") -> Finding:
    lines = tuple(enumerate(code.split("\n"), 1))
    location = Location(path, 1, len(lines), snippet=lines)
    return Finding(rule, "checkov", "json", rule, rule, location=location, resource=resource)


def fixed(rule: str, path: str, code: str, resource: str = "") -> tuple[str, str] | str:
    finding = failed_check(rule, path, code, resource)
    remedy = fix_rule_of(finding)
    assert remedy is not None
    return apply_rule(finding, remedy)


def name(row: dict[str, Any]) -> str:
    return f"{row['check']}-{row['path']}-{row['resource']}"


def test_at_least_sixty_checks_of_four_kinds_have_a_fix() -> None:
    assert len(FIX_RULES) >= 60
    kinds = [
        sum(kind in check for check in FIX_RULES)
        for kind in ("_GHA_", "_DOCKER_", "_K8S_", "_AWS_", "_AZURE_", "_GCP_")
    ]
    assert all(kinds), kinds


def test_checkov_has_seen_every_row_of_the_table_fail_before_and_pass_after() -> None:
    assert {row["check"] for row in OUTCOMES if row["passes_after"]} == set(FIX_RULES)
    assert all(row["passes_after"] for row in OUTCOMES)


@pytest.mark.parametrize("row", OUTCOMES, ids=name)
def test_our_fix_is_the_text_that_checkov_passed(row: dict[str, Any]) -> None:
    assert fixed(row["check"], row["path"], row["before"], row["resource"]) == (row["before"], row["after"])
    tag = FIX_RULES[row["check"]].tag
    assert (faults(row["before"], tag), faults(row["after"], tag)) == (0, 0)


@pytest.mark.parametrize("row", OUTCOMES, ids=name)
def test_a_fixed_snippet_is_not_fixed_twice(row: dict[str, Any]) -> None:
    again = fixed(row["check"], row["path"], row["after"], row["resource"])
    assert again in ("fix_not_applicable", (row["after"], row["after"]))


DISK = 'resource "aws_ebs_volume" "data" {\n  size = 8\n}'
POD = "kind: Pod\nspec:\n  containers:\n    - name: a\n      image: b\n"


@pytest.mark.parametrize(
    ("rule", "path", "code", "resource"),
    [
        ("CKV_AWS_3", "a.tf", DISK, "aws_ebs_volume.other"),
        ("CKV_AWS_3", "a.tf", DISK.replace("aws_ebs_volume", "aws_ebs_snapshot"), "aws_ebs_snapshot.data"),
        ("CKV_AWS_3", "a.tf", DISK[:-2], "aws_ebs_volume.data"),
        ("CKV_AWS_3", "a.tf", f"{DISK}\n{DISK}", "aws_ebs_volume.data"),
        ("CKV_AWS_3", "a.tf", 'resource "aws_ebs_volume" "data" { size = 8 }', "aws_ebs_volume.data"),
        ("CKV_AWS_118", "a.tf", 'resource "aws_db_instance" "a" {\n  name = "a"\n}', "aws_db_instance.a"),
        ("CKV_AWS_20", "a.tf", 'resource "aws_s3_bucket" "a" {\n  bucket = "a"\n}', "aws_s3_bucket.a"),
        (
            "CKV_AWS_28",
            "a.tf",
            'resource "aws_dynamodb_table" "a" {\n'
            '  dynamic "point_in_time_recovery" {\n    for_each = b\n  }\n}',
            "aws_dynamodb_table.a",
        ),
        ("CKV_AWS_39", "a.tf", 'resource "aws_eks_cluster" "a" {\n  name = "a"\n}', "aws_eks_cluster.a"),
        ("CKV_K8S_16", "a.yaml", "kind: Pod\nspec: {{ .Values.spec }}", ""),
        ("CKV_K8S_16", "a.yaml", POD + "x: &a 1\ny: *a", ""),
        ("CKV_K8S_16", "a.yaml", POD + "---\n" + POD, ""),
        ("CKV_K8S_16", "a.yaml", "kind: Pod\nspec:\n  containers: []", ""),
        ("CKV_K8S_8", "a.yaml", POD, ""),
        ("CKV_K8S_20", "a.yaml", POD + "      securityContext: {capabilities: {add: [SYS_ADMIN]}}", ""),
        ("CKV_K8S_41", "a.yaml", POD, ""),
        ("CKV_DOCKER_1", "Dockerfile", "EXPOSE 22", ""),
        ("CKV_DOCKER_4", "Dockerfile", "ADD https://downloads.example.com/a /a", ""),
        ("CKV_DOCKER_4", "Dockerfile", "ADD site.tar.gz /srv", ""),
        ("CKV_DOCKER_3", "Dockerfile", "RUN make", ""),
        ("CKV_DOCKER_9", "Dockerfile", "RUN apt list", ""),
        ("CKV2_DOCKER_1", "Dockerfile", "RUN apt-get install -y sudo", ""),
        ("CKV2_DOCKER_14", "Dockerfile", "ENV GIT_SSL_NO_VERIFY=1", ""),
        ("CKV_GHA_2", "a.yml", "- run: echo '${{ github.event.issue.title }}'", ""),
        ("CKV_GHA_2", "a.yml", "- run: echo ${{ github.event.issue.title }}\n  env:\n    A: b", ""),
        ("CKV2_GHA_1", "a.yml", "jobs:\n  a:\n    permissions: write-all", ""),
    ],
)
def test_code_that_does_not_allow_the_fix_gets_none(rule: str, path: str, code: str, resource: str) -> None:
    assert fixed(rule, path, code, resource) == "fix_not_applicable"


def test_a_fix_needs_the_code_and_a_file_of_its_language() -> None:
    assert fix_rule_of(failed_check("CKV_AWS_3", "template.yaml", DISK)) is None
    assert fix_rule_of(failed_check("CKV_AWS_99999", "a.tf", DISK)) is None
    finding = failed_check("CKV_AWS_3", "a.tf", "")
    bare = Finding("f", "checkov", "json", "CKV_AWS_3", "t", location=Location("a.tf", 1, 3))
    assert apply_rule(bare, FIX_RULES["CKV_AWS_3"]) == "no_snippet"
    assert apply_rule(finding, FIX_RULES["CKV_AWS_3"]) == "fix_not_applicable"


@pytest.mark.parametrize(
    ("rule", "before", "after"),
    [
        ("CKV2_DOCKER_2", "RUN curl -k https://a.example | tar -xk", "RUN curl https://a.example | tar -xk"),
        ("CKV2_DOCKER_2", "RUN curl -sk https://a.example", "RUN curl -s https://a.example"),
        (
            "CKV2_DOCKER_3",
            "RUN wget \\\n    --no-check-certificate \\\n    https://a.example",
            "RUN wget \\\n    https://a.example",
        ),
        ("CKV2_DOCKER_14", "RUN export GIT_SSL_NO_VERIFY=1 && git fetch", "RUN git fetch"),
        ("CKV_DOCKER_9", "RUN apt -y install a && mv apt b", "RUN apt-get -y install a && mv apt b"),
        ("CKV_DOCKER_3", "FROM a\nRUN make\n", "FROM a\nRUN make\nUSER 10001\n"),
    ],
)
def test_a_dockerfile_s_fix_changes_the_command_and_nothing_else(rule: str, before: str, after: str) -> None:
    assert fixed(rule, "Dockerfile", before) == (before, after)


def test_a_container_s_other_settings_and_comments_stay_as_they_are() -> None:
    code = POD.replace(
        "      image: b\n", "      securityContext:\n        runAsUser: 5  # the app\n      image: b # c"
    )
    assert fixed("CKV_K8S_16", "pod.yaml", code) == (
        code,
        code.replace("# the app\n", "# the app\n        privileged: false\n"),
    )


def test_a_request_is_never_set_above_the_limit_that_is_there() -> None:
    code = POD + "      resources:\n        limits: {memory: 32Mi}"
    assert fixed("CKV_K8S_12", "pod.yaml", code) == (
        code,
        code + "\n        requests:\n          memory: 32Mi",
    )


@given(st.sampled_from(OUTCOMES), st.data())
def test_a_torn_or_garbled_snippet_never_gets_a_fix_that_parses_worse(
    row: dict[str, Any], data: st.DataObject
) -> None:
    code = row["before"]
    start = data.draw(st.integers(0, len(code)))
    end = data.draw(st.integers(start, len(code)))
    garbled = (
        code[:start] + data.draw(st.sampled_from(["", "\n", "{", "}", ": ", "- ", '"', "\\\n"])) + code[end:]
    )
    sides = fixed(row["check"], row["path"], garbled, row["resource"])
    if isinstance(sides, str):
        assert sides in {"fix_not_applicable", "no_snippet"}
    else:
        tag = FIX_RULES[row["check"]].tag
        before, after = (faults(side, tag) or 0 for side in sides)
        assert after <= before
