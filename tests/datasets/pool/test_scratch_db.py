"""Tables on disk hold what a dict would hold; further rows of a change add what they tell."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.examples.diff import ChangeGroup
from jobs.datasets.pool.scratch_db import NumberTable
from jobs.datasets.public.candidate import Candidate
from jobs.datasets.public.merged_metadata import MergedMetadata

LARGEST = (1 << 64) - 1
NUMBERS = st.one_of(st.integers(0, 5), st.integers(0, LARGEST), st.just(1 << 63), st.just(LARGEST))


@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=40), asked=NUMBERS)
def test_a_table_holds_the_first_number_of_each_key(pairs: list[tuple[int, int]], asked: int) -> None:
    known: dict[int, int] = {}
    with TemporaryDirectory() as scratch, closing(NumberTable(Path(scratch) / "table.db")) as table:
        for key, value in pairs:
            assert table.put(key, value) == (key not in known)
            known.setdefault(key, value)
        for key in (*known, asked):
            assert table.get(key) == known.get(key)
            assert (key in table) == (key in known)


def candidate(cwes: dict[str, str], groups: list[str], description: str | None) -> Candidate:
    group = ChangeGroup(("-a", "+b"), 1)
    return Candidate("s", "k", group, None, tuple(cwes.items()), description, tuple(groups), True, "p", "a")


def test_what_further_rows_tell_is_joined_in_their_order(tmp_path: Path) -> None:
    first = candidate({"CWE-1": "", "CWE-2": "two"}, ["g1"], None)
    with closing(MergedMetadata(tmp_path / "joined.db")) as joined:
        joined.add(7, candidate({"CWE-2": "other", "CWE-3": "three"}, ["g1", "g2"], None))
        joined.add(8, candidate({"CWE-9": "nine"}, ["g9"], "not about this one"))
        joined.add(7, candidate({"CWE-1": "one"}, ["g3"], "words"))
        joined.add(7, candidate({}, [], "later words"))
        complete = joined.complete(7, first)
        assert joined.complete(1, first) == first
    assert complete.cwes == (("CWE-1", "one"), ("CWE-2", "two"), ("CWE-3", "three"))
    assert complete.groups == ("g1", "g2", "g3")
    assert complete.description == "words"
