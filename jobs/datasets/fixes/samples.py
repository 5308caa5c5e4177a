"""Samples: what one finding asks and answers, by the kind of its fix, and the gate that each one passes.

Quality of a stage 2 example: "high" for an edit that the tool gave or that was verified, for a true fix of
the reported code itself, and for an upgrade whose declaring manifest the report itself names, in each case
only where the answer is seen to parse; "standard" where the declaration or configuration is ours and not the
project's, or where no parser can judge; "low" for advice.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import Any

from jobs.datasets.examples.example import Quality, code_digest, fence, prompt_code, prompt_text, shorten
from jobs.datasets.examples.languages import language_of_path
from jobs.datasets.examples.paths import relative_path, without_home
from jobs.datasets.examples.quality import Pair, advice_refusal, judge
from jobs.datasets.fixes.checkov.rules import apply_rule
from jobs.datasets.fixes.fix_rule import FixRule
from jobs.datasets.fixes.scanner_edits import apply_edit
from jobs.datasets.fixes.upgrades import declaration_of, is_nearest_above, version_order
from jobs.datasets.fixes.zap.alerts import AlertRule
from jobs.datasets.fixes.zap.configurations import ConfigurationChange, configuration_changes
from jobs.findings.model.finding import Finding, Package

UPGRADE_TASK = "Upgrade this dependency to the nearest fixed version above the installed one."
EDIT_TASK = "Fix the problem that the scanner reports in this code."
TABLE_TASK = (
    "Fix the problem that the scanner reports in this configuration: do what is required and change nothing "
    "else."
)
ALERT_TASK = (
    "Change this configuration so that the scanner's alert ends: do what is required and change nothing else."
)
ADVICE_TASK = "Say what has to be changed to mend the problem that the scanner reports."
# Where new entries go, so that the prompt leaves no choice.
_PLACE = {
    "hcl": "a new attribute or block at the end of its block",
    "yaml": "a new key at the end of its mapping",
}
_TITLE_LIMIT = 160
_ADVICE_LIMIT = 1200

# Semgrep puts the folder of a local rule file before the rule's name; such a folder names the machine.
_MACHINE_RULE = re.compile(r"^(home|users|root|tmp|private|var|mnt|opt)\.", re.IGNORECASE)
# What may stand unquoted in every manifest's syntax.
_PLAIN = re.compile(r"[A-Za-z0-9@._/:+~^-]+")
_COOKIE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,40}")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_ADDRESS = re.compile(r"^\W*https?://\S+\W*$")


@dataclass(frozen=True, slots=True)
class FixSample:
    """What one finding asks and answers, before the example is put together."""

    prompt: str
    answer: str
    quality: Quality
    language: str | None
    groups: tuple[str, ...]
    facts: dict[str, Any] = field(default_factory=dict)


# What is asked of one finding: several questions, each in several forms, the fuller ones first.
Offers = list[list[FixSample]]


def upgrade_samples(finding: Finding) -> Offers | str:
    """The package's declaration at the fixed version, in the syntax of the manifest that declares it."""
    package, version = finding.package, finding.fix.version or ""
    installed = (package.version if package else None) or ""
    if package is None or not all(_PLAIN.fullmatch(text) for text in (package.name, installed, version)):
        return "no_package"
    placed = declaration_of(package)
    if placed is None:
        return "no_manifest_syntax"
    fixed = tuple(sorted({version, *finding.fix.alternatives}, key=lambda text: (version_order(text), text)))
    if not is_nearest_above(installed, version, fixed):
        return "undetermined_version"
    write, tag = placed.declaration.write, placed.declaration.tag
    pair = Pair(write(package.name, installed), write(package.name, version), tag, is_whole=True)
    facts = {
        **_upgrade_facts(finding, package),
        "Fixed in": ", ".join(fixed),
        "Manifest": placed.declaration.manifest,
    }
    sample = _judge_sample(
        prompt_text(UPGRADE_TASK, facts, fence(pair.before, tag)),
        pair,
        "high" if placed.named else "standard",
    )
    if isinstance(sample, str):
        return sample
    groups = _upgrade_groups(finding, package.name)
    more = {"package": package.name, "installed_version": installed, "fixed_version": version}
    return [[_add_facts(sample, groups, more)]]


def _upgrade_facts(finding: Finding, package: Package) -> dict[str, str | None]:
    return {
        "Advisory": rule_name(finding.rule),
        "Problem": shorten(without_home(finding.title), _TITLE_LIMIT),
        "Package": f"{package.name} ({package.ecosystem})" if package.ecosystem else package.name,
        "Installed": package.version,
    }


def _upgrade_groups(finding: Finding, name: str) -> tuple[str, ...]:
    """Advisory and package: two advisories of one package ask nearly the same."""
    advisories = sorted({rule_name(finding.rule), *finding.aliases})
    return (f"package:{name.replace('/', ':').lower()}", *(f"advisory:{advisory}" for advisory in advisories))


def edit_samples(finding: Finding) -> Offers | str:
    """The reported code with the scanner's own exact edit; a shorter form is the edited lines alone."""
    fuller = _edit_sample(finding, only_edited_lines=False)
    if isinstance(fuller, str):
        return fuller
    shorter = _edit_sample(finding, only_edited_lines=True)
    return [[fuller] if isinstance(shorter, str) else [fuller, shorter]]


def _edit_sample(finding: Finding, only_edited_lines: bool) -> FixSample | str:
    location, replacement = finding.location, finding.fix.edit
    if location is None or not location.valid or replacement is None:
        return "no_position"
    sides = apply_edit(location, replacement, only_edited_lines=only_edited_lines)
    if isinstance(sides, str):
        return sides
    path = relative_path(location.path)
    language = language_of_path(path)
    pair = Pair(without_home(sides[0]), without_home(sides[1]), language)
    facts: dict[str, str | None] = {
        "Rule": rule_name(finding.rule).rpartition(".")[2],
        "CWE": ", ".join(finding.cwes),
        "Language": language,
        "Problem": shorten(without_home(finding.message or finding.title)),
    }
    sample = _judge_sample(prompt_text(EDIT_TASK, facts, fence(pair.before, language or "")), pair, "high")
    return (
        sample
        if isinstance(sample, str)
        else _add_facts(sample, _code_groups(finding, sample), {"path": path})
    )


def table_samples(finding: Finding, rule: FixRule) -> Offers | str:
    """The reported configuration with the true fix of its check."""
    sides = apply_rule(finding, rule)
    if isinstance(sides, str):
        return sides
    pair = Pair(without_home(sides[0]), without_home(sides[1]), rule.tag)
    path = relative_path(finding.location.path if finding.location else "")
    is_address = "/" not in (finding.resource or "/")
    facts = {
        "Check": finding.rule,
        "Problem": shorten(without_home(finding.title), _TITLE_LIMIT),
        "Resource": finding.resource if is_address else None,
        "Language": rule.tag,
        "Required": rule.required,
        "Placement": _PLACE.get(rule.tag),
    }
    sample = _judge_sample(prompt_text(TABLE_TASK, facts, fence(pair.before, rule.tag)), pair, "high")
    return (
        sample
        if isinstance(sample, str)
        else [[_add_facts(sample, _code_groups(finding, sample), {"path": path})]]
    )


def alert_samples(finding: Finding, rule: AlertRule) -> Offers | str:
    """The configuration of each framework that makes the response as the alert's rule asks."""
    named = finding.http.param if finding.http else None
    cookie = named if named and _COOKIE.fullmatch(named) else "SESSION"
    offers: Offers = []
    for change in configuration_changes(rule, cookie):
        sample = _alert_sample(finding, rule, change)
        if isinstance(sample, str):
            return sample
        offers.append([sample])
    return offers


def _alert_sample(finding: Finding, rule: AlertRule, change: ConfigurationChange) -> FixSample | str:
    pair = Pair(change.before, change.after, change.tag, is_whole=True)
    facts: dict[str, str | None] = {
        "Alert": shorten(finding.title, _TITLE_LIMIT),
        "CWE": ", ".join(finding.cwes),
        "Framework": change.framework,
        "Required": rule.required,
        "Placement": "a new line after the last line of its kind",
    }
    sample = _judge_sample(prompt_text(ALERT_TASK, facts, fence(pair.before, change.tag)), pair, "standard")
    if isinstance(sample, str):
        return sample
    # One alert asks nearly the same in every framework, and its neighbours in one framework do, too.
    return _add_facts(sample, (f"alert:{rule.required}",), {"framework": change.framework})


def advice_samples(finding: Finding) -> Offers | str:
    """What the scanner itself advises, in its words; the prompt does not determine them."""
    text = without_home(_prose(finding.fix.advice or ""))
    facts: dict[str, str | None] = {
        "Rule": rule_name(finding.rule),
        "CWE": ", ".join(finding.cwes),
        "Problem": shorten(without_home(_prose(finding.title)), _TITLE_LIMIT),
        "Description": shorten(without_home(_prose(finding.message))),
    }
    prompt = "\n".join([ADVICE_TASK, *(f"{name}: {value}" for name, value in facts.items() if value)])
    refused = advice_refusal(prompt, text)
    if refused is not None:
        return refused
    return [
        [
            FixSample(
                prompt, text, "low", None, (f"advice:{code_digest(text)}", f"rule:{rule_name(finding.rule)}")
            )
        ]
    ]


def _prose(text: str) -> str:
    """Text without HTML and without lines that only hold an address, cut at a whole paragraph."""
    lines = [" ".join(line.split()) for line in html.unescape(_TAG.sub(" ", text)).split("\n")]
    kept: list[str] = []
    for line in lines:
        if line and not _ADDRESS.match(line) and sum(map(len, kept)) + len(line) <= _ADVICE_LIMIT:
            kept.append(line)
    return "\n".join(kept)


def _judge_sample(prompt: str, pair: Pair, claimed: Quality) -> FixSample | str:
    verdict = judge(pair, prompt, claimed)
    if verdict.refusal is not None:
        return verdict.refusal
    return FixSample(prompt, fence(pair.after, pair.tag or ""), verdict.quality, pair.tag, ())


def _add_facts(sample: FixSample, groups: tuple[str, ...], facts: dict[str, Any]) -> FixSample:
    return FixSample(sample.prompt, sample.answer, sample.quality, sample.language, groups, facts)


def _code_groups(finding: Finding, sample: FixSample) -> tuple[str, ...]:
    return (f"edit:{rule_name(finding.rule)}:{code_digest(prompt_code(sample.prompt))}",)


def rule_name(rule: str) -> str:
    """A rule's id without what it tells of the machine that its file lay on."""
    return rule.rpartition(".")[2] if _MACHINE_RULE.match(rule) else without_home(rule)
