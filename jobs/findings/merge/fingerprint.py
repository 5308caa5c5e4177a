"""Fingerprints: the name of a problem that survives a new scan, shifted lines and another order of files."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

from jobs.findings.merge.keys import location_key, package_key, plain_path, reported_code
from jobs.findings.model.finding import Finding, Location
from jobs.findings.model.structs import replace


def add_fingerprints(findings: list[Finding]) -> Iterator[Finding]:
    """The findings, each with its fingerprint: 32 hex digits of a SHA-256.

    Equal code at several locations of one file is numbered in order, so a shifted line keeps its number.
    """
    same: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        same[_identity(finding)].append(finding)
    for identity, group in same.items():
        for number, finding in enumerate(sorted(group, key=_line_order) if len(group) > 1 else group):
            parts = (*identity, str(number)) if number else identity
            digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
            yield replace(finding, fingerprint=digest[:32])


def _line_order(finding: Finding) -> tuple[int, int, str]:
    where = finding.location or Location("")
    return where.start_line or 0, where.start_column or 0, finding.message + repr(finding)


def _identity(finding: Finding) -> tuple[str, ...]:
    if finding.package:
        return ("package", *package_key(finding), finding.rule)
    where = finding.location
    code = reported_code(where) if where and where.start_line else ""
    if where and code:
        return "code", finding.tool, finding.rule, plain_path(where.path), code, finding.resource or ""
    return ("place", *location_key(finding))
