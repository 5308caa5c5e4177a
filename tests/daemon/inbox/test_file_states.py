"""Which state of a file may follow which: a table of its own, held against every pair."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from daemon.inbox.entry import Stamp
from daemon.inbox.file_state import FINAL, NEXT, UNREAD, FileState, IllegalChange, check_change
from daemon.inbox.ledger import Ledger

FILE, STAMP = Path("/inbox/a.json"), Stamp(10, 1, 7)
READ = {"accepted", "refused", "duplicate", "nothing", "failed"}
LEGAL: dict[str, set[str]] = {
    "new": READ | {"settling"},
    "settling": READ | {"settling", "gone"},
    "failed": READ | {"gone"},
    "accepted": {"accepted", "queued", "failed"},
    "gone": {"settling", "failed"},
    "queued": set(),
    "refused": set(),
    "duplicate": set(),
    "nothing": set(),
}
# How a file comes into each state, one legal change after the other.
WAYS: dict[str, tuple[str, ...]] = {
    "new": (),
    "gone": ("settling", "gone"),
    "queued": ("settling", "accepted", "queued"),
    **{state: (state,) for state in (*READ, "settling")},
}
PAIRS = [(before, after) for before, after in product(LEGAL, map(str, FileState))]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "inbox.db")


def bring_to(ledger: Ledger, state: str) -> None:
    for each in WAYS[state]:
        ledger.note(FILE, STAMP, FileState(each), f"as {each}")


def rows(ledger: Ledger) -> list[tuple[str, str]]:
    return [(entry.state, entry.reason) for entry in ledger.entries()]


def test_every_state_has_its_row() -> None:
    assert set(LEGAL) == {"new", *map(str, FileState)}


@pytest.mark.parametrize(("before", "after"), PAIRS)
def test_a_file_changes_as_the_table_says_and_in_no_other_way(
    ledger: Ledger, before: str, after: str
) -> None:
    bring_to(ledger, before)
    was = rows(ledger)
    if after in LEGAL[before]:
        ledger.note(FILE, STAMP, FileState(after), "changed")
        assert rows(ledger) == [(after, "changed")]
    else:
        with pytest.raises(IllegalChange, match=f"a file that is {before} cannot become {after}"):
            ledger.note(FILE, STAMP, FileState(after), "changed")
        assert rows(ledger) == was


@pytest.mark.parametrize(("before", "after"), [pair for pair in PAIRS if pair[0] != "new"])
def test_several_files_change_together_or_not_at_all(ledger: Ledger, before: str, after: str) -> None:
    bring_to(ledger, before)
    ledger.note(Path("/inbox/other.json"), STAMP, FileState.ACCEPTED, "as accepted")
    was = rows(ledger)
    ids = [entry.id for entry in ledger.entries()]
    if after in LEGAL[before] & LEGAL["accepted"]:
        ledger.move(ids, FileState(after), "moved", "run")
        assert rows(ledger) == [(after, "moved")] * 2
    else:
        with pytest.raises(IllegalChange):
            ledger.move(ids, FileState(after), "moved", "run")
        assert rows(ledger) == was


def test_an_entry_that_does_not_exist_cannot_be_moved_into_a_run(ledger: Ledger) -> None:
    with pytest.raises(IllegalChange, match="a file that is new cannot become queued"):
        ledger.move([4711], FileState.QUEUED, "in run r", "r")


@pytest.mark.parametrize("state", [state for state in FileState if state is not FileState.QUEUED])
def test_only_what_was_not_read_vanishes(ledger: Ledger, state: FileState) -> None:
    bring_to(ledger, state)
    ledger.mark_gone(FILE)
    expected = "gone" if state in ("settling", "failed", "gone") else state
    assert [entry.state for entry in ledger.entries()] == [expected]


def test_the_groups_of_states_are_what_the_watcher_and_the_ledger_go_by() -> None:
    assert {"accepted", "queued", "refused", "duplicate", "nothing"} == FINAL
    assert {"settling", "failed"} == UNREAD
    assert FINAL | UNREAD | {FileState.GONE} == set(FileState)
    assert NEXT.get(FileState.QUEUED) is None


def test_a_state_is_written_and_printed_as_its_word() -> None:
    assert [f"{state}" for state in FileState] == [
        "settling",
        "accepted",
        "queued",
        "refused",
        "duplicate",
        "nothing",
        "failed",
        "gone",
    ]
    check_change(None, FileState.ACCEPTED)
