"""ZAP's alerts: each one's configuration in each framework, as it was and as it must be."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.datasets.examples.example import fenced_code, prompt_code
from jobs.datasets.examples.quality import Pair, judge
from jobs.datasets.examples.syntax import faults
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.fixes.render import FindingRenderer
from jobs.datasets.fixes.zap.alerts import ALERTS, AlertRule, Cookie, Header, alert_rule_of
from jobs.datasets.fixes.zap.configurations import configuration_changes
from jobs.findings.model.finding import Finding, Fix, Http

EACH = [pytest.param(rule, id=reference) for reference, _, rule in ALERTS]


def alert(rule: str, title: str = "An alert", **changes: object) -> Finding:
    fix = Fix("advice", advice="Set what has to be set in the server's configuration.")
    return Finding("f", "zap", "json", rule, title, fix=fix, **changes)  # type: ignore[arg-type]


def test_at_least_twenty_five_alerts_are_known_by_number_and_by_name() -> None:
    assert len(ALERTS) >= 25
    for reference, title, rule in ALERTS:
        assert alert_rule_of(alert(reference)) == rule
        assert alert_rule_of(alert(reference.partition("-")[0], title)) is not None
    assert alert_rule_of(alert("10020", "X-Frame-Options Header Not Set")) == alert_rule_of(alert("10020-1"))


def test_an_alert_that_the_table_does_not_know_has_no_configuration() -> None:
    assert alert_rule_of(alert("40018", "Cross-Domain Misconfiguration")) is None
    assert alert_rule_of(alert("10020", "Something new")) is None
    finding = Finding("f", "trivy", "json", "10021", "X-Content-Type-Options Header Missing")
    assert alert_rule_of(finding) is None


@pytest.mark.parametrize("rule", EACH)
def test_every_configuration_parses_before_and_after_and_the_fix_passes_the_gate(rule: AlertRule) -> None:
    made = configuration_changes(rule, "SESSION")
    assert len(made) >= 2
    for change in made:
        assert (faults(change.before, change.tag), faults(change.after, change.tag)) == (0, 0)
        verdict = judge(Pair(change.before, change.after, change.tag, is_whole=True), "", "standard")
        assert (verdict.refusal, verdict.quality) == (None, "standard")


@pytest.mark.parametrize("rule", [param for param in EACH if isinstance(param.values[0], Header)])
def test_a_required_header_stands_once_in_the_fix_and_a_wrong_one_not_at_all(rule: Header) -> None:
    for change in configuration_changes(rule, "SESSION"):
        if rule.right is None:
            assert rule.name not in change.after
        else:
            assert change.after.count(rule.name) == 1
            assert f'"{rule.right}"' in change.after
            assert rule.required.count(rule.right) == 1
        for name, value in rule.wrong:
            assert (
                (name, value) == (rule.name, rule.right)
                or f'"{value}"' not in change.after
                or value == rule.right
            )
            assert name == rule.name or f'"{name}"' not in change.after


@pytest.mark.parametrize("rule", [param for param in EACH if isinstance(param.values[0], Cookie)])
def test_a_cookie_s_fix_has_all_three_attributes_and_the_name_of_the_report(rule: Cookie) -> None:
    for change in configuration_changes(rule, "rp_session"):
        text = change.after.lower().replace("-", "")
        assert all(word in text for word in ("secure", "httponly", "samesite", "lax", "rp_session"))


def test_an_alert_becomes_one_example_for_each_framework_that_names_what_is_required(tokenizer: Path) -> None:
    renderer = FindingRenderer(TokenCounter(tokenizer), 2048, "webauthn")
    finding = alert("10011", "Cookie Without Secure Flag", cwes=("CWE-614",), http=Http(param="rp_session"))
    made = renderer.examples(finding)
    assert not isinstance(made, str)
    examples = [example for example, _ in made]
    assert [example.metadata["framework"] for example in examples] == ["Ktor", "Spring", "Express", "nginx"]
    assert len({group for example in examples for group in example.groups}) == 1
    for example in examples:
        assert "Alert: Cookie Without Secure Flag\nCWE: CWE-614\nFramework: " in example.prompt
        assert "Required: the session's cookie has the attribute Secure" in example.prompt
        assert "rp_session" in prompt_code(example.prompt)
        assert fenced_code(example.answer) != prompt_code(example.prompt)
        assert (example.metadata["quality"], example.metadata["provenance"]) == ("standard", "table")


def test_advice_alone_is_left_out_unless_it_is_asked_for(tokenizer: Path) -> None:
    counter = TokenCounter(tokenizer)
    finding = alert("40018", "SQL Injection", message="<p>The query is built from input.</p>")
    assert FindingRenderer(counter, 2048, "webauthn").examples(finding) == "advice_only"
    made = FindingRenderer(counter, 2048, "webauthn", include_advice=True).examples(finding)
    assert not isinstance(made, str)
    ((example, _),) = made
    assert example.answer == "Set what has to be set in the server's configuration."
    assert (example.metadata["quality"], example.metadata["provenance"]) == ("low", "advice")
    assert "<p>" not in example.prompt
    assert "advise" in example.messages[0]["content"]
