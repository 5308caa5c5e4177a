"""When a file has settled: arithmetic over looks and moments."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from daemon.inbox.entry import Stamp
from daemon.inbox.settling import Settling

FILE = Path("a.json")


def stamp(number: int) -> Stamp:
    return Stamp(number, number, 1)


@given(
    st.lists(st.floats(min_value=0.0, max_value=100.0), min_size=1), st.floats(min_value=0.01, max_value=50.0)
)
def test_a_file_that_changes_at_every_look_never_settles(pauses: list[float], stable: float) -> None:
    settling, moment = Settling(stable), 0.0
    for number, pause in enumerate(pauses):
        moment += pause
        assert not settling.observe(FILE, stamp(number), moment)
        assert settling.last_change == moment
    assert settling.busy


@given(
    st.lists(st.tuples(st.floats(min_value=0.01, max_value=3.0), st.integers(0, 2)), min_size=1),
    st.floats(min_value=0.01, max_value=6.0),
)
def test_a_file_settles_exactly_when_it_was_the_same_for_long_enough(
    looks: list[tuple[float, int]], stable: float
) -> None:
    settling, moment = Settling(stable), 0.0
    since, before = 0.0, -1
    for pause, content in looks:
        moment += pause
        if content != before:
            since, before = moment, content
        assert settling.observe(FILE, stamp(content), moment) == (moment - since >= stable)


@given(st.lists(st.floats(min_value=0.0, max_value=1e6), min_size=1))
def test_a_file_that_waits_for_its_download_never_settles_and_holds_nobody_up(pauses: list[float]) -> None:
    settling, moment = Settling(1.0), 0.0
    for pause in pauses:
        moment += pause
        assert not settling.observe(FILE, stamp(1), moment, waiting=True)
    assert not settling.busy


def test_the_end_of_a_download_counts_as_a_change() -> None:
    settling = Settling(5.0)
    settling.observe(FILE, stamp(1), 0.0, waiting=True)
    assert not settling.observe(FILE, stamp(1), 100.0)
    assert settling.last_change == 100.0
    assert settling.observe(FILE, stamp(1), 105.0)


def test_what_is_gone_is_no_longer_watched() -> None:
    settling = Settling(5.0)
    settling.observe(FILE, stamp(1), 0.0)
    settling.keep_only(set())
    assert not settling.busy
