"""Edits: applied at true columns, refused where they would be a guess."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.fixes.scanner_edits import apply_edit
from jobs.findings.model.finding import Location

PLACE = Location("a.py", 5, 5, 8, 15, snippet=((4, "x = 1"), (5, "  y = f(secret)  # why"), (6, "z")))


def test_an_edit_replaces_exactly_the_text_between_its_columns() -> None:
    assert apply_edit(
        dataclasses.replace(PLACE, start_column=7, end_column=16), "g()", only_edited_lines=False
    ) == (
        "x = 1\n  y = f(secret)  # why\nz",
        "x = 1\n  y = g()  # why\nz",
    )


def test_an_edit_over_several_lines_joins_what_is_left_of_them() -> None:
    place = dataclasses.replace(PLACE, start_line=4, start_column=5, end_line=6, end_column=2)
    assert apply_edit(place, "2\ny = 3", only_edited_lines=False) == (
        "x = 1\n  y = f(secret)  # why\nz",
        "x = 2\ny = 3",
    )


def test_an_empty_edit_deletes() -> None:
    place = dataclasses.replace(PLACE, start_column=16, end_column=23)
    assert apply_edit(place, "", only_edited_lines=True) == ("  y = f(secret)  # why", "  y = f(secret)")


@given(
    lines=st.lists(st.text("ab c", max_size=12), min_size=1, max_size=6),
    edit=st.text("xy\n", max_size=10),
    data=st.data(),
)
def test_an_edit_is_the_same_as_cutting_the_joined_text(
    lines: list[str], edit: str, data: st.DataObject
) -> None:
    text = "\n".join(lines)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))

    def place_of(offset: int) -> tuple[int, int]:
        head = text[:offset]
        return head.count("\n") + 10, offset - (head.rfind("\n") + 1) + 1

    (first, first_column), (last, last_column) = place_of(start), place_of(end)
    snippet = tuple((number + 10, line) for number, line in enumerate(lines))
    location = Location("a", first, last, first_column, last_column, snippet=snippet)
    assert apply_edit(location, edit, only_edited_lines=False) == (text, text[:start] + edit + text[end:])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"snippet": ()}, "no_snippet"),
        ({"snippet": ((5, "requires login"),)}, "no_snippet"),
        ({"start_column": None}, "no_position"),
        ({"end_line": None}, "no_position"),
        ({"end_line": 9}, "edit_outside_snippet"),
        ({"end_column": 99}, "edit_outside_snippet"),
        ({"start_column": 0}, "edit_outside_snippet"),
        ({"end_line": 4, "end_column": 1}, "edit_outside_snippet"),
        ({"snippet": ((4, "x"), (5, "  y = f(secret)"), (9, "z"))}, "edit_outside_snippet"),
    ],
)
def test_an_edit_that_cannot_be_applied_exactly_is_refused(changes: dict[str, object], reason: str) -> None:
    place = dataclasses.replace(PLACE, **changes)  # type: ignore[arg-type]
    assert apply_edit(place, "g", only_edited_lines=False) == reason
