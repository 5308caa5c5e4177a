"""Near-duplicates: found when little differs, not found when much does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.pool.near_duplicates import ALIKE, NearIndex, likeness, sketch

CODE = "\n".join(
    f"value_{name} = load_{name}(source, key='{name}', deep=True)" for name in "abcdefghijklmnop"
)


@contextmanager
def near_index() -> Iterator[NearIndex]:
    with TemporaryDirectory() as scratch, closing(NearIndex(Path(scratch) / "near.db")) as index:
        yield index


def test_code_with_one_changed_name_is_found() -> None:
    with near_index() as index:
        index.add(4, sketch(CODE))  # type: ignore[arg-type]
        assert index.matches(sketch(CODE.replace("load_c", "fetch_c"))) == [4]  # type: ignore[arg-type]


def test_case_numbers_and_white_space_do_not_count() -> None:
    one, other = sketch("x = call(1, 2)\n" * 5 + CODE), sketch("X  =  call(77, 2)\n" * 5 + CODE.upper())
    assert one is not None
    assert other is not None
    assert likeness(one, other) == 1.0


def test_other_code_is_not_found() -> None:
    other = "\n".join(f"if ({name} > limit) {{ return send_{name}(queue); }}" for name in "qrstuvwxyz")
    with near_index() as index:
        index.add(0, sketch(CODE))  # type: ignore[arg-type]
        assert index.matches(sketch(other)) == []  # type: ignore[arg-type]


def test_code_too_short_to_judge_has_no_sketch() -> None:
    assert sketch("return x") is None


@pytest.mark.slow
@given(st.lists(st.sampled_from([CODE[:at] for at in range(300, 1000, 37)]), min_size=1, max_size=12))
def test_being_alike_does_not_depend_on_who_came_first(codes: list[str]) -> None:
    drawn = [one for one in map(sketch, codes) if one is not None]
    found = []
    for one in drawn:
        with near_index() as index:
            index.add(0, one)
            found.append([bool(index.matches(other)) for other in drawn])
    for first, second in product(range(len(drawn)), repeat=2):
        is_alike = likeness(drawn[first], drawn[second]) >= ALIKE
        assert found[first][second] == found[second][first] == is_alike


@pytest.mark.slow
def test_the_index_finds_the_same_as_comparing_with_each_wherever_the_two_differ() -> None:
    import random

    import numpy as np

    chance = random.Random(5)
    drawn: list[Any] = []
    with near_index() as index:
        for number in range(1_200):
            one = np.array([chance.getrandbits(32) for _ in range(64)], dtype=np.uint32)
            if drawn and number % 3 == 0:
                one = chance.choice(drawn).copy()
                for place in chance.sample(range(64), chance.randint(1, 20)):
                    one[place] = chance.getrandbits(32)
            alike = [other for other, held in enumerate(drawn) if likeness(held, one) >= ALIKE]
            assert index.matches(one) == alike
            index.add(number, one)
            drawn.append(one)


def test_of_equal_sketches_the_first_stands_for_all() -> None:
    one = sketch(CODE)
    assert one is not None
    with near_index() as index:
        for number in (3, 5, 8):
            index.add(number, one)
        assert index.matches(one) == [3]
