"""Near-duplicates: found when little differs, not found when much does."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.datasets.near import ALIKE, NearIndex, likeness, sketch

CODE = "\n".join(
    f"value_{name} = load_{name}(source, key='{name}', deep=True)" for name in "abcdefghijklmnop"
)


def test_code_with_one_changed_name_is_found() -> None:
    index = NearIndex()
    index.add(4, sketch(CODE))  # type: ignore[arg-type]
    assert index.matches(sketch(CODE.replace("load_c", "fetch_c"))) == [4]  # type: ignore[arg-type]


def test_case_numbers_and_white_space_do_not_count() -> None:
    one, other = sketch("x = call(1, 2)\n" * 5 + CODE), sketch("X  =  call(77, 2)\n" * 5 + CODE.upper())
    assert one is not None
    assert other is not None
    assert likeness(one, other) == 1.0


def test_other_code_is_not_found() -> None:
    index = NearIndex()
    index.add(0, sketch(CODE))  # type: ignore[arg-type]
    other = "\n".join(f"if ({name} > limit) {{ return send_{name}(queue); }}" for name in "qrstuvwxyz")
    assert index.matches(sketch(other)) == []  # type: ignore[arg-type]


def test_code_too_short_to_judge_has_no_sketch() -> None:
    assert sketch("return x") is None


@settings(deadline=None)  # others load the machine
@given(st.lists(st.sampled_from([CODE[:at] for at in range(300, 1000, 37)]), min_size=1, max_size=12))
def test_being_alike_does_not_depend_on_who_came_first(codes: list[str]) -> None:
    drawn = [found for found in map(sketch, codes) if found is not None]
    for one in drawn:
        for other in drawn:
            first, second = NearIndex(), NearIndex()
            first.add(0, one)
            second.add(0, other)
            assert first.matches(other) == second.matches(one)
            if first.matches(other):
                assert likeness(one, other) >= ALIKE


def test_the_index_finds_the_same_as_comparing_with_each_however_large_it_grows() -> None:
    import random

    import numpy as np

    chance = random.Random(5)
    index = NearIndex()
    drawn: list[Any] = []
    for number in range(1_200):  # beyond two doublings of the table
        if drawn and number % 3 == 0:
            one = chance.choice(drawn).copy()
            for place in chance.sample(range(64), chance.randint(1, 20)):
                one[place] = chance.getrandbits(32)
        else:
            one = np.array([chance.getrandbits(32) for _ in range(64)], dtype=np.uint32)
        bands = [
            other
            for other in range(len(drawn))
            if ((drawn[other] == one).reshape(16, 4).all(axis=1)).any() and likeness(drawn[other], one) >= 0.8
        ]
        assert index.matches(one) == bands
        index.add(number, one)
        drawn.append(one)
