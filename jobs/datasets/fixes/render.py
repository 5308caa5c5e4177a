"""Stage 2's examples: findings with a real fix; each by the kind of fix that is known for it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobs.datasets.examples.example import ADVICE_SYSTEM, SYSTEM, Example, conversation
from jobs.datasets.fixes import samples
from jobs.datasets.fixes.checkov.rules import fix_rule_of
from jobs.datasets.fixes.samples import FixSample, Offers, rule_name
from jobs.datasets.fixes.zap.alerts import alert_rule_of
from jobs.findings.model.finding import PROVENANCES, TRAINABLE, Finding

if TYPE_CHECKING:  # the daemon asks `refusal_of`, and must not meet a tokenizer
    from jobs.datasets.examples.tokens import TokenCounter

ATTRIBUTION = "the user's own scan reports"
# Our own tables stand between the fixes that the report itself holds and those that nobody vouches for.
TABLE = "table"
SOURCES_OF_FIXES: tuple[str, ...] = (*PROVENANCES[:3], TABLE, *PROVENANCES[3:])

# A credential alone is no secret: WebAuthn calls a public key so.
_SECRET_RULE = re.compile(
    r"(^|[._\-/])(secrets?|gitleaks|private[-_]?keys?|api[-_]?keys?)([._\-/]|$)|hard-?_?coded"
    r"|(detected|leaked|exposed|plain-?_?text|default)[-_]credentials?",
    re.IGNORECASE,
)
_SECRET_CWES = frozenset({"CWE-259", "CWE-321", "CWE-798"})
_WITHOUT_FIX = {
    "advice": "advice_only",
    "link": "link_only",
    "edit_untrusted": "untrusted_edit",
    "none": "no_fix",
}


def refusal_of(finding: Finding, include_advice: bool = False) -> str | None:
    """Why a finding can give no example at all, whatever its length; None if it can.

    Needs no tokenizer, so that a delivery nothing can be learned from is refused before any training.
    """
    offered = _find_offers(finding, include_advice)
    return offered if isinstance(offered, str) else None


def _find_offers(finding: Finding, include_advice: bool) -> tuple[Offers, str] | str:
    refused = finding_refusal(finding)
    if refused == "advice_only" and include_advice:
        provenance, offers = "advice", samples.advice_samples(finding)
    elif refused is not None:
        return refused
    else:
        provenance, offers = _offers_of_fix(finding)
    return offers if isinstance(offers, str) else (offers, provenance)


class FindingRenderer:
    """Makes examples of findings.

    Args:
        counter: Counts with the training tokenizer.
        max_seq_length: Tokens that prompt and whole answer must fit.
        domain: Names the source: "webauthn" -> "webauthn_security_tools".
        include_advice: Whether a finding with advice alone becomes an example of low quality.
    """

    def __init__(
        self, counter: TokenCounter, max_seq_length: int, domain: str, include_advice: bool = False
    ) -> None:
        self._counter = counter
        self._limit = max_seq_length
        self._source = source_name(domain)
        self._include_advice = include_advice

    def examples(self, finding: Finding) -> list[tuple[Example, int]] | str:
        """The examples with their lengths in tokens, or the reason why there are none.

        An alert of a dynamic scan gives one for each framework, every other finding one.
        """
        offered = _find_offers(finding, self._include_advice)
        if isinstance(offered, str):
            return offered
        offers, provenance = offered
        fitting = [self._fitting(finding, forms, provenance) for forms in offers]
        return [each for each in fitting if each is not None] or "too_long"

    def _fitting(
        self, finding: Finding, forms: list[FixSample], provenance: str
    ) -> tuple[Example, int] | None:
        for sample in forms:
            example = self._example(finding, sample, provenance)
            tokens = self._counter.total(example.messages)
            if tokens <= self._limit:
                return example, tokens
        return None

    def _example(self, finding: Finding, sample: FixSample, provenance: str) -> Example:
        system = ADVICE_SYSTEM if provenance == "advice" else SYSTEM
        return Example(
            conversation(sample.prompt, sample.answer, system),
            {
                "source": self._source,
                "quality": sample.quality,
                "cwe_id": finding.cwes[0] if finding.cwes else None,
                "cwe_ids": list(finding.cwes),
                "language": sample.language,
                "chat_template": self._counter.template_name,
                "groups": list(sample.groups),
                "provenance": provenance,
                "attribution": ATTRIBUTION,
                "tool": finding.tool,
                "rule": rule_name(finding.rule),
                "severity": finding.severity.level,
                "finding": finding.fingerprint,
                **sample.facts,
            },
        )


def source_name(domain: str) -> str:
    """The name of stage 2's own source in metadata and statistics."""
    return f"{domain}_security_tools"


def finding_refusal(finding: Finding) -> str | None:
    """Why a finding gives no example, before its code is looked at.

    Returns:
        A reason of `jobs.datasets.examples.drop_reasons.DROP_REASONS`, or None.
    """
    if finding.suppressed:
        return "suppressed"
    if _SECRET_RULE.search(finding.rule) or not _SECRET_CWES.isdisjoint(finding.cwes):
        return "secret"
    if fix_rule_of(finding) or alert_rule_of(finding):
        return None
    if finding.fix.provenance not in TRAINABLE:
        return _WITHOUT_FIX[finding.fix.provenance]
    if finding.fix.edit is None and not finding.fix.version:
        return "no_fix"
    return None


def _offers_of_fix(finding: Finding) -> tuple[str, Offers | str]:
    """Where the fix comes from, and what it offers: the report's own first, then that of our tables."""
    if finding.fix.provenance in TRAINABLE:
        own = samples.upgrade_samples(finding) if finding.fix.edit is None else samples.edit_samples(finding)
        return finding.fix.provenance, own
    if (fix_rule := fix_rule_of(finding)) is not None:
        return TABLE, samples.table_samples(finding, fix_rule)
    rule = alert_rule_of(finding)
    return TABLE, samples.alert_samples(finding, rule) if rule else "no_fix"
