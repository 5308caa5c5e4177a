from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.inbox.entry import Stamp, writable_name
from daemon.inbox.file_state import FileState
from daemon.inbox.ledger import Ledger

A = Path("/inbox/a.json")
STAMP = Stamp(10, 1, 7)
LATER = Stamp(11, 2, 7)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "inbox.db")


def states(ledger: Ledger) -> list[tuple[str, str]]:
    return [(entry.path, entry.state) for entry in ledger.entries()]


def test_a_file_has_one_entry_however_often_its_state_changes(ledger: Ledger) -> None:
    for state in (FileState.SETTLING, FileState.FAILED, FileState.ACCEPTED):
        ledger.note(A, STAMP, state, state, members=[{"verdict": "parsed"}])
    (entry,) = ledger.entries()
    assert (entry.state, entry.reason, entry.members) == ("accepted", "accepted", ({"verdict": "parsed"},))


def test_a_new_content_replaces_the_unfinished_look_at_the_old_one(ledger: Ledger) -> None:
    ledger.note(A, STAMP, FileState.SETTLING)
    ledger.note(A, LATER, FileState.SETTLING)
    assert ledger.known(A, STAMP) is None
    assert states(ledger) == [(str(A), "settling")]


def test_a_copy_that_stalled_and_was_refused_is_replaced_while_its_delivery_is_open(ledger: Ledger) -> None:
    ledger.note(A, STAMP, FileState.REFUSED, "truncated")
    ledger.note(A, LATER, FileState.ACCEPTED)
    assert [entry.state for entry in ledger.entries()] == ["accepted"]


def test_a_new_content_never_replaces_one_that_was_taken(ledger: Ledger) -> None:
    ledger.note(A, STAMP, FileState.ACCEPTED, sha256="1" * 64)
    ledger.note(A, LATER, FileState.ACCEPTED, sha256="2" * 64)
    assert len(ledger.open_delivery()) == 2


def test_a_submit_does_not_touch_what_became_of_the_file_in_the_inbox(ledger: Ledger) -> None:
    ledger.note(A, STAMP, FileState.ACCEPTED, sha256="1" * 64, staged="s")
    ledger.note(A, STAMP, FileState.DUPLICATE, sha256="1" * 64, delivery="d", origin="d")
    assert [entry.staged for entry in ledger.open_delivery()] == ["s"]
    known = ledger.known(A, STAMP)
    assert known is not None
    assert known.state == "accepted"
    assert [entry.state for entry in ledger.of_delivery("d")] == ["duplicate"]


def test_only_what_was_not_read_yet_can_vanish(ledger: Ledger) -> None:
    ledger.note(A, STAMP, FileState.SETTLING)
    ledger.note(Path("/inbox/b.json"), STAMP, FileState.ACCEPTED)
    ledger.move([entry.id for entry in ledger.open_delivery()], FileState.QUEUED, "in run r", "r")
    ledger.mark_gone(A)
    ledger.mark_gone(Path("/inbox/b.json"))
    assert states(ledger) == [(str(A), "gone"), ("/inbox/b.json", "queued")]
    assert ledger.unsettled() == []


def test_closing_takes_the_named_entries_and_no_others(ledger: Ledger) -> None:
    for name in ("a", "b", "c"):
        ledger.note(Path(name), STAMP, FileState.ACCEPTED)
    first, second, third = ledger.open_delivery()
    ledger.assign([first.id, third.id], "d")
    assert [entry.id for entry in ledger.open_delivery()] == [second.id]
    assert ledger.closing_deliveries() == ["d"]
    ledger.move([first.id, third.id], FileState.QUEUED, "in run r", "r")
    assert ledger.closing_deliveries() == []


def test_counts_leave_submitted_files_out(ledger: Ledger) -> None:
    ledger.note(A, STAMP, FileState.ACCEPTED)
    ledger.note(Path("b"), STAMP, FileState.FAILED)
    ledger.note(A, STAMP, FileState.ACCEPTED, delivery="d", origin="d")
    ledger.move([entry.id for entry in ledger.of_delivery("d")], FileState.QUEUED, "in run r", "r")
    assert ledger.counts() == {"accepted": 1, "failed": 1}


def test_the_newest_entries_are_the_ones_that_are_listed_in_their_order(ledger: Ledger) -> None:
    for name in ("a", "b", "c"):
        ledger.note(Path(name), STAMP, FileState.REFUSED)
    assert [entry.path for entry in ledger.entries(limit=2)] == ["b", "c"]
    assert ledger.entries(states=[FileState.QUEUED]) == []


@given(st.binary(min_size=1).filter(lambda name: b"\0" not in name))
def test_every_name_can_be_written(name: bytes) -> None:
    path = Path(name.decode("utf-8", "surrogateescape"))
    assert writable_name(path).encode("utf-8").decode("utf-8") == writable_name(path)


def test_what_is_written_together_is_one_commit_and_seen_by_its_writer_at_once(ledger: Ledger) -> None:
    other = Ledger(ledger.path)
    with ledger.together():
        for number in range(5):
            ledger.note(Path(f"/in/{number}"), Stamp(1, number, 1), FileState.REFUSED, "page")
        assert ledger.counts() == {}  # asked by another connection, which does not see it yet
        assert len(ledger.entries()) == 5
        assert other.entries() == []
    assert len(other.entries()) == 5


def test_an_exception_in_the_middle_keeps_what_was_written_before(ledger: Ledger) -> None:
    def broken_off() -> None:
        with ledger.together():
            ledger.note(Path("/in/a"), Stamp(1, 1, 1), FileState.REFUSED, "page")
            ledger.note(Path("/in/b"), Stamp(1, 1, 1), FileState.REFUSED, "page", nonsense="x")

    with pytest.raises(sqlite3.Error):
        broken_off()
    assert [entry.path for entry in ledger.entries()] == ["/in/a"]
    ledger.note(Path("/in/c"), Stamp(1, 1, 1), FileState.REFUSED, "page")
    assert len(ledger.entries()) == 2
