"""Checkov's findings and the table of their true fixes: one finding in, its code before and after out."""

from __future__ import annotations

from jobs.datasets.examples.languages import language_of_path
from jobs.datasets.examples.syntax import faults
from jobs.datasets.fixes.checkov.docker import DOCKER
from jobs.datasets.fixes.checkov.kubernetes import KUBERNETES
from jobs.datasets.fixes.checkov.terraform import TERRAFORM
from jobs.datasets.fixes.checkov.workflows import WORKFLOW
from jobs.datasets.fixes.fix_rule import FixRule
from jobs.findings.model.finding import Finding

FIX_RULES: dict[str, FixRule] = {**TERRAFORM, **KUBERNETES, **DOCKER, **WORKFLOW}


def fix_rule_of(finding: Finding) -> FixRule | None:
    """The row of the table that mends a finding of Checkov's about a file of the row's language."""
    if finding.tool != "checkov" or finding.location is None:
        return None
    rule = FIX_RULES.get(finding.rule)
    return rule if rule and rule.tag == language_of_path(finding.location.path) else None


def apply_rule(finding: Finding, rule: FixRule) -> tuple[str, str] | str:
    """The reported code before and after the fix.

    Returns:
        (before, after), or a reason of `jobs.datasets.examples.drop_reasons.DROP_REASONS`.
    """
    location = finding.location
    if location is None or not location.valid or not location.snippet:
        return "no_snippet"
    before = "\n".join(text for _, text in location.snippet)
    after = rule.apply(before, finding.resource or "")
    if after is None or _parses_worse(before, after, rule.tag):
        return "fix_not_applicable"
    return before, after


def _parses_worse(before: str, after: str, tag: str) -> bool:
    # A snippet may be torn in the middle of a line; an edit that fits a whole one can break it further.
    return (faults(after, tag) or 0) > (faults(before, tag) or 0)
