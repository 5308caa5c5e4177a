"""Stage 2's examples: real fixes, determined by their prompts, with nothing of the user's machine in them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.datasets.examples.example import Example, fenced_code, prompt_code
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.fixes.render import FindingRenderer
from jobs.findings.model.finding import Finding, Fix, Location


@pytest.fixture(scope="module")
def renderer(tokenizer: Path) -> FindingRenderer:
    return FindingRenderer(TokenCounter(tokenizer), 1024, "webauthn")


def example_of(renderer: FindingRenderer, finding: Finding) -> Example:
    made = renderer.examples(finding)
    assert not isinstance(made, str), made
    assert len(made) == 1
    return made[0][0]


def test_an_upgrade_s_prompt_holds_all_and_its_answer_only_the_fixed_declaration(
    renderer: FindingRenderer, made: SimpleNamespace
) -> None:
    finding = made.upgrade(
        "lodash", "4.17.21", ecosystem="npm", manifest="web/package-lock.json", version="4.17.20"
    )
    finding = dataclasses.replace(finding, fix=Fix("version", version="4.17.21", alternatives=("5.0.0",)))
    example = example_of(renderer, finding)
    for fact in (
        "Package: lodash (npm)",
        "Installed: 4.17.20",
        "Fixed in: 4.17.21, 5.0.0",
        "Manifest: package.json",
    ):
        assert fact in example.prompt
    assert f"Advisory: {finding.rule}" in example.prompt
    before, after = json.loads(prompt_code(example.prompt)), json.loads(fenced_code(example.answer))
    assert before == {"dependencies": {"lodash": "4.17.20"}}
    assert after == {"dependencies": {"lodash": "4.17.21"}}
    assert example.metadata["quality"] == "standard"  # a lock file: the manifest was inferred


def test_an_upgrade_in_a_manifest_that_the_report_names_is_of_high_quality(
    renderer: FindingRenderer, made: SimpleNamespace
) -> None:
    example = example_of(renderer, made.upgrade("flask", "1.0.1"))
    assert (example.metadata["quality"], example.metadata["provenance"]) == ("high", "version")


def test_an_edit_s_answer_is_its_prompt_s_code_with_the_edit_applied(
    renderer: FindingRenderer, made: SimpleNamespace
) -> None:
    example = example_of(renderer, made.edit_finding(3))
    assert fenced_code(example.answer) == prompt_code(example.prompt).replace("hashlib.md5", "hashlib.sha256")
    assert example.metadata["language"] == "python"
    assert "CWE: CWE-327" in example.prompt


def test_an_edit_too_long_with_its_context_is_tried_without_it(
    tokenizer: Path, made: SimpleNamespace
) -> None:
    finding = made.edit_finding(3)
    location = finding.location
    far = tuple(
        (number, "pass  # " + "word " * 60)
        for number in range(location.start_line + 1, location.start_line + 9)
    )
    finding = dataclasses.replace(
        finding, location=dataclasses.replace(location, snippet=(*location.snippet, *far))
    )
    made_of_it = FindingRenderer(TokenCounter(tokenizer), 420, "webauthn").examples(finding)
    assert not isinstance(made_of_it, str)
    ((example, tokens),) = made_of_it
    assert prompt_code(example.prompt).strip().startswith("digest_delta_3")
    assert tokens <= 420
    assert FindingRenderer(TokenCounter(tokenizer), 40, "webauthn").examples(finding) == "too_long"


def test_no_path_of_the_user_s_machine_reaches_an_example(
    renderer: FindingRenderer, made: SimpleNamespace
) -> None:
    finding = made.edit_finding(2)
    numbers = finding.location.snippet[0][0], finding.location.snippet[1][0]
    code = (
        (numbers[0], 'read("/home/mallory/keys/a.txt")'),
        (numbers[1], finding.location.snippet[1][1]),
    )
    location = dataclasses.replace(finding.location, path="/home/mallory/work/app/x.py", snippet=code)
    finding = dataclasses.replace(
        finding,
        rule="home.mallory.rules.weak-digest",
        location=location,
        message=r"See C:\Users\mallory\notes\a.md and file:///Users/mallory/b.md.",
    )
    example = example_of(renderer, finding)
    assert "mallory" not in json.dumps(example.to_json())
    assert example.metadata["path"] == "work/app/x.py"


def test_a_rule_about_credentials_that_are_no_secrets_may_give_an_example(
    renderer: FindingRenderer, made: SimpleNamespace
) -> None:
    finding = dataclasses.replace(made.edit_finding(1), rule="rules.js-credential-in-local-storage")
    assert example_of(renderer, finding).metadata["quality"] == "high"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"suppressed": True}, "suppressed"),
        ({"fix": Fix("advice", advice="Do better.")}, "advice_only"),
        ({"fix": Fix("link", link="x")}, "link_only"),
        ({"fix": Fix("edit_untrusted", edit="x")}, "untrusted_edit"),
        ({"fix": Fix()}, "no_fix"),
        ({"fix": Fix("version")}, "no_fix"),
        ({"rule": "generic.secrets.security.detected-key"}, "secret"),
        ({"rule": "python.jwt.jwt-hardcoded"}, "secret"),
        ({"rule": "CKV_SECRET_6"}, "secret"),
        ({"rule": "generic.detected-credentials"}, "secret"),
        ({"cwes": ("CWE-798",)}, "secret"),
        ({"fix": Fix("edit_tool", edit="hashlib.md5")}, "no_op"),
        ({"fix": Fix("edit_tool", edit="TODO()")}, "answer_holds_todo"),
        ({"fix": Fix("edit_tool", edit="fix_for_CVE-2031-12345")}, "answer_names_a_cve"),
        ({"location": None}, "no_position"),
        ({"location": Location("a.py", 1, 1, valid=False)}, "no_position"),
    ],
)
def test_a_finding_without_a_real_fix_gives_its_reason_and_no_example(
    renderer: FindingRenderer, made: SimpleNamespace, changes: dict[str, Any], reason: str
) -> None:
    assert renderer.examples(dataclasses.replace(made.edit_finding(1), **changes)) == reason


@pytest.mark.parametrize(
    ("package", "fixed", "reason"),
    [
        ({"version": None}, "1.0.1", "no_package"),
        ({"version": '1.0"; evil'}, "1.0.1", "no_package"),
        ({"ecosystem": "hackage", "manifest": None}, "1.0.1", "no_manifest_syntax"),
        ({"version": "2.0.0"}, "1.0.1", "undetermined_version"),
    ],
)
def test_an_upgrade_that_cannot_be_written_or_is_none_is_refused(
    renderer: FindingRenderer, made: SimpleNamespace, package: dict[str, Any], fixed: str, reason: str
) -> None:
    assert renderer.examples(made.upgrade("flask", fixed, **package)) == reason


def test_two_advisories_of_one_package_share_a_group(
    renderer: FindingRenderer, made: SimpleNamespace
) -> None:
    one = example_of(renderer, made.upgrade("flask", "1.0.1", advisory="CVE-2031-1111"))
    other = example_of(renderer, made.upgrade("flask", "1.0.2", advisory="CVE-2031-2222"))
    assert {*one.groups} & {*other.groups} == {"package:flask"}
