"""The split: whole, grouped, stratified, seeded."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.parts.split import PARTS, Fractions
from jobs.datasets.parts.split import split as split_groups

KEYS = st.lists(st.lists(st.sampled_from([f"k{n}" for n in range(30)]), max_size=3), min_size=1, max_size=60)
FRACTIONS = st.builds(Fractions, st.floats(0, 0.4), st.floats(0, 0.4))


def split(keys: list[list[str]], strata: list[str], fractions: Fractions, seed: int) -> list[str]:
    """The names of the parts; what shares a key, directly or through others, has one root."""
    roots = list(range(len(keys)))
    for one, own in enumerate(keys):
        for other in range(one):
            if set(own) & set(keys[other]) and roots[one] != roots[other]:
                low, high = sorted((roots[one], roots[other]))
                roots = [low if root == high else root for root in roots]
    return [PARTS[part] for part in split_groups(roots, strata, fractions, seed)]


@given(keys=KEYS, fractions=FRACTIONS, seed=st.integers(0, 99), data=st.data())
def test_every_example_is_placed_and_no_key_stands_in_two_parts(
    keys: list[list[str]], fractions: Fractions, seed: int, data: st.DataObject
) -> None:
    strata = data.draw(st.lists(st.sampled_from("ab"), min_size=len(keys), max_size=len(keys)))
    parts = split(keys, strata, fractions, seed)
    assert len(parts) == len(keys)
    homes: dict[str, set[str]] = {}
    for own, part in zip(keys, parts, strict=True):
        for key in own:
            homes.setdefault(key, set()).add(part)
    assert all(len(found) == 1 for found in homes.values())
    assert "train" in parts
    assert parts == split(keys, strata, fractions, seed)


@given(count=st.integers(10, 200), seed=st.integers(0, 99))
def test_loose_examples_are_split_80_10_10_with_a_test_case_from_ten_on(count: int, seed: int) -> None:
    counts = Counter(split([[]] * count, ["a"] * count, Fractions(0.1, 0.1), seed))
    assert abs(counts["test"] - count / 10) <= 1
    assert abs(counts["valid"] - count / 10) <= 1
    assert counts["test"] >= 1
    assert counts["valid"] >= 1


def test_each_source_gives_its_share_to_each_part() -> None:
    strata = ["many"] * 100 + ["few"] * 20
    parts = split([[]] * 120, strata, Fractions(0.1, 0.1), 3)
    assert Counter(zip(strata, parts, strict=True)) == {
        ("many", "train"): 80,
        ("many", "valid"): 10,
        ("many", "test"): 10,
        ("few", "train"): 16,
        ("few", "valid"): 2,
        ("few", "test"): 2,
    }


def test_many_small_sources_together_still_give_a_test_part_of_its_size() -> None:
    strata = [f"tool{number % 10}" for number in range(40)]
    assert Counter(split([[]] * 40, strata, Fractions(0.1, 0.1), 1)) == {"train": 32, "valid": 4, "test": 4}


def test_a_large_group_goes_to_train_and_a_small_one_to_test() -> None:
    keys = [["big"]] * 18 + [["small"]] * 2
    parts = split(keys, ["a"] * 20, Fractions(0.1, 0.1), 5)
    assert set(parts[:18]) == {"train"}
    assert set(parts[18:]) == {"test"}


def test_another_seed_gives_another_split() -> None:
    one, other = (split([[]] * 50, ["a"] * 50, Fractions(0.1, 0.1), seed) for seed in (1, 2))
    assert one != other


@pytest.mark.parametrize(("valid", "test"), [(-0.1, 0.1), (0.5, 0.5), (0.9, 0.2)])
def test_fractions_that_leave_nothing_for_train_are_refused(valid: float, test: float) -> None:
    with pytest.raises(ValueError, match="leave train a share"):
        Fractions(valid, test)
