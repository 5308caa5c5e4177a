"""Edits: a scanner's exact replacement, applied to the code that the report itself shows."""

from __future__ import annotations

from itertools import pairwise

from jobs.findings.model.finding import Location

# What Semgrep writes in the place of code when nobody is logged in.
_NO_CODE = "requires login"


def apply_edit(location: Location, edit: str, *, only_edited_lines: bool) -> tuple[str, str] | str:
    """The reported code before and after an edit.

    Args:
        location: Where the edit goes, with the snippet that holds the lines; columns are 1-based, the end
            column is exclusive.
        edit: Replaces exactly the text from start to end; "" deletes it.
        only_edited_lines: Leave out the snippet's lines around the edit.

    Returns:
        (before, after), or a reason of `jobs.datasets.examples.drop_reasons.DROP_REASONS`.
    """
    lines = [(number, text.replace("\r", "")) for number, text in location.snippet]
    if not lines or any(text.strip() == _NO_CODE for _, text in lines):
        return "no_snippet"
    if None in (location.start_line, location.end_line, location.start_column, location.end_column):
        return "no_position"
    start, end = int(location.start_line or 0), int(location.end_line or 0)
    if only_edited_lines:
        lines = [(number, text) for number, text in lines if start <= number <= end]
    return _replace_region(
        lines, (start, int(location.start_column or 0)), (end, int(location.end_column or 0)), edit
    )


def _replace_region(
    lines: list[tuple[int, str]], start: tuple[int, int], end: tuple[int, int], edit: str
) -> tuple[str, str] | str:
    numbers = [number for number, _ in lines]
    code = dict(lines)
    is_unbroken = all(later == earlier + 1 for earlier, later in pairwise(numbers))
    if not is_unbroken or not (_is_inside(code, start) and _is_inside(code, end)) or start > end:
        return "edit_outside_snippet"
    head = [code[number] for number in numbers if number < start[0]] + [code[start[0]][: start[1] - 1]]
    tail = [code[end[0]][end[1] - 1 :]] + [code[number] for number in numbers if number > end[0]]
    after = "\n".join(head) + edit.replace("\r\n", "\n") + "\n".join(tail)
    return "\n".join(code[number] for number in numbers), after


def _is_inside(code: dict[int, str], place: tuple[int, int]) -> bool:
    line, column = place
    return line in code and 1 <= column <= len(code[line]) + 1
