"""The whole of merging, in order: group what tells of one problem, join each group, give fingerprints.

Everything is sorted before it is looked at, so the order of files cannot change the outcome.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from jobs.findings.merge.advisories import group_by_advisory
from jobs.findings.merge.fingerprint import add_fingerprints
from jobs.findings.merge.joining import join
from jobs.findings.merge.locations import group_by_location
from jobs.findings.model.finding import Finding


def merge(findings: Iterable[Finding], known_tools: frozenset[str]) -> tuple[Finding, ...]:
    """Bring together the findings that tell of one problem, and give each its fingerprint.

    Args:
        findings: As the scanners made them, of any number of files, in any order.
        known_tools: The tools that have a reader of their own, so that one scan of theirs may be here in
            several formats.

    Returns:
        Distinct findings with the richest fields of each, ordered by tool, rule, location and fingerprint.
    """
    advisories: list[Finding] = []
    others: list[Finding] = []
    for finding in findings:
        (advisories if finding.package else others).append(finding)
    groups = chain(group_by_advisory(advisories), group_by_location(others, known_tools))
    return tuple(sorted(add_fingerprints([join(group) for group in groups]), key=_output_order))


def _output_order(finding: Finding) -> tuple[str, str, str, int, str]:
    where = finding.location
    name = where.path if where else finding.package.name if finding.package else finding.resource or ""
    return finding.tool, finding.rule, name, (where.start_line or 0) if where else 0, finding.fingerprint
