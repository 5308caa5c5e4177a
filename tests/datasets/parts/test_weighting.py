"""Weighting: fractions are honoured, exact to one row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.parts.weighting import row_counts


@given(flags=st.lists(st.booleans(), max_size=200), multiplier=st.floats(1, 6), seed=st.integers(0, 99))
def test_the_rows_of_high_quality_are_the_multiplier_exact_to_one_row(
    flags: list[bool], multiplier: float, seed: int
) -> None:
    counts = row_counts(flags, multiplier, seed)
    high = [count for count, flag in zip(counts, flags, strict=True) if flag]
    assert abs(sum(high) - len(high) * multiplier) <= 0.5 + 1e-9
    assert all(int(multiplier) <= count <= int(multiplier) + 1 for count in high)
    assert all(count == 1 for count, flag in zip(counts, flags, strict=True) if not flag)
    assert counts == row_counts(flags, multiplier, seed)


def test_two_and_a_half_is_two_rows_for_each_and_a_third_for_half() -> None:
    assert sorted(row_counts([True] * 10, 2.5, 1)) == [2] * 5 + [3] * 5


def test_the_half_is_drawn_by_the_seed() -> None:
    assert row_counts([True] * 20, 1.5, 1) != row_counts([True] * 20, 1.5, 2)


def test_a_multiplier_below_one_is_refused_because_it_would_lose_examples() -> None:
    with pytest.raises(ValueError, match="drop examples"):
        row_counts([True], 0.5, 1)
