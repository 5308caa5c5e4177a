"""Findings about code and addresses: the same rule at the same location, whatever one of them leaves out.

One scan delivered as JSON and as SARIF gives each finding twice (cross-format duplicates), and each format
leaves out something that the other tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from jobs.findings.merge.keys import location_key, reported_code
from jobs.findings.model.finding import Finding

# Start column, end column, message, resource, code; None is what the finding leaves out.
_Detail = tuple[str | None, ...]
_Pattern = tuple[bool, ...]  # which parts of a detail are known


@dataclass(slots=True)
class _Problem:
    """The findings of one problem, and the fullest detail that is known of it."""

    detail: _Detail
    members: list[Finding] = field(default_factory=list)


def group_by_location(findings: list[Finding], known_tools: frozenset[str]) -> Iterator[list[Finding]]:
    """The findings that name no package, in groups that tell of one problem.

    Args:
        findings: In any order.
        known_tools: The tools whose findings may have a duplicate in another format.
    """
    by_location: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    for finding in findings:
        by_location[location_key(finding)].append(finding)
    for group in by_location.values():
        if len(group) == 1:
            yield group
        else:
            yield from (problem.members for problem in _problems(group, known_tools))


def _problems(findings: list[Finding], known_tools: frozenset[str]) -> list[_Problem]:
    """Join a finding that leaves something out to the fuller one it fits; two that contradict stay two.

    Two details that leave out the same parts fit only if they are equal, so only problems of other patterns
    are looked up, by the parts both know: a file with 100,000 results on one line costs no quadratic time.
    """
    by_detail: dict[_Detail, list[Finding]] = defaultdict(list)
    for finding in findings:
        by_detail[_detail(finding, known_tools)].append(finding)
    by_pattern: dict[_Pattern, list[_Detail]] = defaultdict(list)
    for detail in sorted(by_detail, key=lambda parts: [part or "" for part in parts]):
        by_pattern[_pattern(detail)].append(detail)
    problems: list[_Problem] = []
    for pattern in sorted(by_pattern, key=lambda known: (-sum(known), known)):
        indexes = _indexes(problems, pattern)
        for detail in by_pattern[pattern]:
            fitting = [
                problem for shared, index in indexes for problem in index.get(_project(detail, shared), ())
            ]
            if fitting and len({problem.detail[-1:] for problem in fitting}) == 1:
                fitting[0].members += by_detail[detail]
            else:
                # Nothing fits, or several that hold different code: whose code it is cannot be told.
                problems.append(_Problem(detail, list(by_detail[detail])))
    return problems


def _detail(finding: Finding, known_tools: frozenset[str]) -> _Detail:
    where = finding.location
    if where is None or where.start_line is None or finding.http:
        return ()
    columns = [str(column) if column else None for column in (where.start_column, where.end_column)]
    # Other tools have no duplicate in another format, and tell two flows from one line apart by the message.
    message = None if finding.tool in known_tools else finding.message
    return (*columns, message, finding.resource, reported_code(where) or None)


def _pattern(detail: _Detail) -> _Pattern:
    return tuple(part is not None for part in detail)


def _project(detail: _Detail, shared: _Pattern) -> _Detail:
    return tuple(part for part, wanted in zip(detail, shared, strict=True) if wanted)


def _indexes(
    problems: list[_Problem], pattern: _Pattern
) -> list[tuple[_Pattern, dict[_Detail, list[_Problem]]]]:
    """The fuller problems by the parts that they and `pattern` both know, one index per pattern of theirs."""
    found: dict[_Pattern, dict[_Detail, list[_Problem]]] = {}
    shared_of: dict[_Pattern, _Pattern] = {}
    for problem in problems:
        own = _pattern(problem.detail)
        shared = shared_of.setdefault(
            own, tuple(known and wanted for known, wanted in zip(own, pattern, strict=True))
        )
        index = found.setdefault(own, {})
        index.setdefault(_project(problem.detail, shared), []).append(problem)
    return [(shared_of[own], index) for own, index in found.items()]
