"""Stage 2's examples: findings with a real fix, which is a version upgrade or the scanner's own exact edit.

Quality of a stage 2 example: "high" for an edit that the tool gave or that was verified, and for an upgrade
whose declaring manifest the report itself names; "standard" for an upgrade whose manifest was inferred
(from a lock file or from the ecosystem), because there the declaration is ours and not the project's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jobs.datasets.edits import edited
from jobs.datasets.example import (
    Example,
    Quality,
    code_digest,
    conversation,
    fence,
    prompt_code,
    prompt_text,
    shortened,
)
from jobs.datasets.gate import window_refusal
from jobs.datasets.languages import language_of_path
from jobs.datasets.paths import relative_path, without_home
from jobs.datasets.tokens import TokenCounter
from jobs.datasets.upgrades import declaration_of, is_nearest_above, version_order
from jobs.findings.finding import TRAINABLE, Finding

UPGRADE_TASK = "Upgrade this dependency to the nearest fixed version above the installed one."
EDIT_TASK = "Fix the problem that the scanner reports in this code."
ATTRIBUTION = "the user's own scan reports"
_TITLE_LIMIT = 160

_SECRET_RULE = re.compile(
    r"(^|[._\-/])(secrets?|gitleaks|credentials?|private[-_]?keys?|api[-_]?keys?)([._\-/]|$)|hard-?_?coded",
    re.IGNORECASE,
)
_SECRET_CWES = frozenset({"CWE-259", "CWE-321", "CWE-798"})
# Semgrep puts the folder of a local rule file before the rule's name; such a folder names the machine.
_MACHINE_RULE = re.compile(r"^(home|users|root|tmp|private|var|mnt|opt)\.", re.IGNORECASE)
# What may stand unquoted in every manifest's syntax.
_PLAIN = re.compile(r"[A-Za-z0-9@._/:+~^-]+")
_WITHOUT_FIX = {
    "advice": "advice_only",
    "link": "link_only",
    "edit_untrusted": "untrusted_edit",
    "none": "no_fix",
}


@dataclass(frozen=True, slots=True)
class _Draft:
    """What one finding asks and answers, before the example is put together."""

    prompt: str
    answer: str
    quality: Quality
    language: str | None
    groups: tuple[str, ...]
    facts: dict[str, Any]


class FindingRenderer:
    """Makes examples of findings.

    Args:
        counter: Counts with the training tokenizer.
        max_seq_length: Tokens that prompt and whole answer must fit.
        domain: Names the source: "webauthn" -> "webauthn_security_tools".
    """

    def __init__(self, counter: TokenCounter, max_seq_length: int, domain: str) -> None:
        self._counter = counter
        self._limit = max_seq_length
        self._source = source_name(domain)

    def example(self, finding: Finding) -> tuple[Example, int] | str:
        """The example and its length in tokens, or the reason why there is none."""
        refused = finding_refusal(finding)
        if refused is not None:
            return refused
        drafts = (
            [_upgrade(finding)]
            if finding.fix.edit is None
            else [_edit(finding, only) for only in (False, True)]
        )
        for draft in drafts:
            if isinstance(draft, str):
                return draft
            example = self._example(finding, draft)
            tokens = self._counter.total(example.messages)
            if tokens <= self._limit:
                return example, tokens
        return "too_long"

    def _example(self, finding: Finding, draft: _Draft) -> Example:
        return Example(
            conversation(draft.prompt, draft.answer),
            {
                "source": self._source,
                "quality": draft.quality,
                "cwe_id": finding.cwes[0] if finding.cwes else None,
                "cwe_ids": list(finding.cwes),
                "language": draft.language,
                "chat_template": self._counter.template_name,
                "groups": list(draft.groups),
                "provenance": finding.fix.provenance,
                "attribution": ATTRIBUTION,
                "tool": finding.tool,
                "rule": _rule(finding.rule),
                "severity": finding.severity.level,
                "finding": finding.fingerprint,
                **draft.facts,
            },
        )


def source_name(domain: str) -> str:
    """The name of stage 2's own source in metadata and statistics."""
    return f"{domain}_security_tools"


def finding_refusal(finding: Finding) -> str | None:
    """Why a finding gives no example, before its code is looked at.

    Returns:
        A reason of `jobs.datasets.reasons.DROP_REASONS`, or None.
    """
    if finding.suppressed:
        return "suppressed"
    if _SECRET_RULE.search(finding.rule) or not _SECRET_CWES.isdisjoint(finding.cwes):
        return "secret"
    if finding.fix.provenance not in TRAINABLE:
        return _WITHOUT_FIX[finding.fix.provenance]
    if finding.fix.edit is None and not finding.fix.version:
        return "no_fix"
    return None


def _upgrade(finding: Finding) -> _Draft | str:
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
    before, after = (placed.declaration.write(package.name, each) for each in (installed, version))
    refused = window_refusal(before, after)
    if refused is not None:
        return refused
    facts: dict[str, str | None] = {
        "Advisory": _rule(finding.rule),
        "Problem": shortened(without_home(finding.title), _TITLE_LIMIT),
        "Package": f"{package.name} ({package.ecosystem})" if package.ecosystem else package.name,
        "Installed": installed,
        "Fixed in": ", ".join(fixed),
        "Manifest": placed.declaration.manifest,
    }
    return _Draft(
        prompt_text(UPGRADE_TASK, facts, fence(before, placed.declaration.tag)),
        fence(after, placed.declaration.tag),
        "high" if placed.named else "standard",
        placed.declaration.tag,
        _upgrade_groups(finding, package.name),
        {"package": package.name, "installed_version": installed, "fixed_version": version},
    )


def _upgrade_groups(finding: Finding, name: str) -> tuple[str, ...]:
    """Advisory and package: two advisories of one package ask nearly the same."""
    advisories = sorted({_rule(finding.rule), *finding.aliases})
    return (f"package:{name.replace('/', ':').lower()}", *(f"advisory:{advisory}" for advisory in advisories))


def _edit(finding: Finding, only_edited_lines: bool) -> _Draft | str:
    location, edit = finding.location, finding.fix.edit
    if location is None or not location.valid or edit is None:
        return "no_position"
    sides = edited(location, edit, only_edited_lines=only_edited_lines)
    if isinstance(sides, str):
        return sides
    before, after = (without_home(side) for side in sides)
    refused = window_refusal(before, after)
    if refused is not None:
        return refused
    path = relative_path(location.path)
    language = language_of_path(path)
    facts: dict[str, str | None] = {
        "Rule": _rule(finding.rule).rpartition(".")[2],
        "CWE": ", ".join(finding.cwes),
        "Language": language,
        "Problem": shortened(without_home(finding.message or finding.title)),
    }
    prompt = prompt_text(EDIT_TASK, facts, fence(before, language or ""))
    groups = (f"edit:{_rule(finding.rule)}:{code_digest(prompt_code(prompt))}",)
    return _Draft(prompt, fence(after, language or ""), "high", language, groups, {"path": path})


def _rule(rule: str) -> str:
    return rule.rpartition(".")[2] if _MACHINE_RULE.match(rule) else without_home(rule)
