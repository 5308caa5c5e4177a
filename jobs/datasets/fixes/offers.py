"""Which fixes are known for a finding, and why a finding has none; asked before any training."""

from __future__ import annotations

import re

from jobs.datasets.fixes import samples
from jobs.datasets.fixes.checkov.rules import fix_rule_of
from jobs.datasets.fixes.samples import Offers
from jobs.datasets.fixes.zap.alerts import alert_rule_of
from jobs.findings.model.finding import PROVENANCES, TRAINABLE, Finding

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
    offered = find_offers(finding, include_advice)
    return offered if isinstance(offered, str) else None


def find_offers(finding: Finding, include_advice: bool) -> tuple[Offers, str] | str:
    """The samples that a finding's fix offers and where it comes from, or why there are none."""
    refused = finding_refusal(finding)
    if refused == "advice_only" and include_advice:
        provenance, offers = "advice", samples.advice_samples(finding)
    elif refused is not None:
        return refused
    else:
        provenance, offers = _offers_of_fix(finding)
    return offers if isinstance(offers, str) else (offers, provenance)


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
