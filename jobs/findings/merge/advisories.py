"""Findings about packages: the same package@version with a common identifier is one problem."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from jobs.findings.merge.keys import package_key
from jobs.findings.model.finding import Finding


def group_by_advisory(findings: list[Finding]) -> Iterator[list[Finding]]:
    """The findings about packages, in groups that tell of one problem."""
    by_package: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        by_package[package_key(finding)].append(finding)
    for group in by_package.values():
        yield from [group] if len(group) == 1 else _linked_groups(group)


def _linked_groups(findings: list[Finding]) -> Iterator[list[Finding]]:
    """Connected groups over shared identifiers (an alias named by one record only still links two)."""
    parent = list(range(len(findings)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    owner: dict[str, int] = {}
    for index, finding in enumerate(findings):
        for identifier in (finding.rule, *finding.aliases):
            first, second = sorted((root(owner.setdefault(identifier, index)), root(index)))
            parent[second] = first
    groups: dict[int, list[Finding]] = defaultdict(list)
    for index, finding in enumerate(findings):
        groups[root(index)].append(finding)
    yield from groups.values()
