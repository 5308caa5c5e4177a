"""Grouping: what shares a key hangs together, however the keys are sorted on the disk."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.pool import grouping
from jobs.datasets.pool.grouping import Grouping

KEYS = st.lists(st.lists(st.integers(0, 30).map(lambda n: n << 59 | n), max_size=3), max_size=60)


def roots(keys: list[list[int]], others: dict[int, list[int]] | None = None) -> list[int]:
    with TemporaryDirectory() as scratch, closing(Grouping(Path(scratch) / "keys")) as groups:
        for position, own in enumerate(keys):
            assert groups.add(own, (others or {}).get(position, [])) == position
        return list(groups.roots())


@given(keys=KEYS)
def test_positions_that_share_a_key_have_one_root_and_no_key_crosses_groups(keys: list[list[int]]) -> None:
    found = roots(keys)
    assert all(root <= position and found[root] == root for position, root in enumerate(found))
    homes = {key: {found[at] for at, own in enumerate(keys) if key in own} for own in keys for key in own}
    assert all(len(home) == 1 for home in homes.values())
    held = [{key for at, own in enumerate(keys) if found[at] == root for key in own} for root in set(found)]
    assert sum(map(len, held)) == len(homes)  # nothing hangs together that no key joins
    assert sum(not own for own in keys) == sum(not found_keys for found_keys in held)


@given(keys=KEYS)
def test_sorting_in_many_portions_gives_the_same_groups(keys: list[list[int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        whole = roots(keys)
        patch.setattr(grouping, "SORTED", 4)
        patch.setattr(grouping, "_BUFFERED", 3)
        assert roots(keys) == whole


def test_a_position_joins_the_earlier_ones_it_names() -> None:
    assert roots([[], [], [7], [], [7]], {3: [0, 1], 4: [3]}) == [0, 0, 0, 0, 0]
    assert roots([[], [], [], []], {3: [1]}) == [0, 1, 2, 1]
