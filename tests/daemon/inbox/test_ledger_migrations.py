"""A ledger of an earlier version opens whole and goes on working; a newer one is refused by name."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.load import Loaded
from config.settings import Settings
from daemon.doctor import running
from daemon.inbox import migrations
from daemon.inbox.entry import Stamp
from daemon.inbox.file_state import FileState
from daemon.inbox.intake import Intake, IntakeDependencies
from daemon.inbox.ledger import Ledger
from daemon.inbox.ledger_counts import counts
from daemon.inbox.migrations import MIGRATIONS
from jobs.errors import OperatorError
from jobs.fs import files

DUMPS = Path(__file__).parents[2] / "data" / "c1fdbbe"
TABLES = {"files": "id", "findings": "finding", "priorities": "delivery"}
RUN = "webauthn-security-sequential-20261129_101500"
MORE = ("alter table files add column colour text", "update files set colour = 'red'")


def ask(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def content(path: Path) -> dict[str, list[Any]]:
    return {table: ask(path, f"select * from {table} order by {order}") for table, order in TABLES.items()}


def version(path: Path) -> int:
    return int(ask(path, "pragma user_version")[0][0])


def tell_version(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"pragma user_version = {number}")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """The ledger of a daemon of commit c1fdbbe: no version, a file in each state."""
    path = tmp_path / "inbox.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((DUMPS / "inbox.sql").read_text())
    return path


def test_a_new_ledger_has_the_version_of_this_code(tmp_path: Path) -> None:
    Ledger(tmp_path / "inbox.db")
    assert version(tmp_path / "inbox.db") == len(MIGRATIONS) == 1
    Ledger(tmp_path / "inbox.db")
    assert version(tmp_path / "inbox.db") == 1


def test_a_ledger_without_a_version_is_given_one_and_keeps_every_row(old: Path) -> None:
    before = content(old)
    assert {table: len(rows) for table, rows in before.items()} == {
        "files": 9,
        "findings": 3,
        "priorities": 1,
    }
    assert version(old) == 0
    ledger = Ledger(old)
    assert (version(old), content(old)) == (1, before)
    assert [(Path(entry.path).name, str(entry.state)) for entry in ledger.entries()] == [
        ("trivy.json", "accepted"),
        ("semgrep.json", "queued"),
        ("note.txt", "refused"),
        ("again.json", "duplicate"),
        ("empty.json", "nothing"),
        ("big.json", "failed"),
        ("half.json.part", "settling"),
        ("left.json", "gone"),
        ("mine.json", "accepted"),
    ]
    first = ledger.entries()[0]
    assert (first.tool, first.findings, first.members[0]["verdict"]) == ("trivy", 2, "parsed")
    assert counts(str(old)) == dict.fromkeys(
        ("accepted", "duplicate", "failed", "gone", "nothing", "queued", "refused", "settling"), 1
    )


def test_what_an_old_ledger_remembers_is_still_known(old: Path) -> None:
    ledger = Ledger(old)
    assert ledger.findings.count_unseen(["f1 published", "f2 none", "f3 none", "f4 none"]) == 2
    assert ledger.priorities.of("e" * 32) == 10
    assert ledger.closing_deliveries() == ["e" * 32]
    assert ledger.staged_folders() == {"a" * 32, "b" * 32}
    known = ledger.known(Path("/home/dev/inbox/note.txt"), Stamp(102, 1_700_000_000_000_000_002, 1002))
    assert known is not None
    assert known.reason == "not a report"
    seen = ledger.with_content("1" * 64)
    assert seen is not None
    assert seen.run_id == RUN
    assert ledger.unsettled() == ["/home/dev/inbox/big.json", "/home/dev/inbox/half.json.part"]


def test_an_old_ledger_goes_on_working(
    old: Path, dependencies: IntakeDependencies, inbox: Path, good: Callable[..., str], enqueued: list[str]
) -> None:
    staging = files.private_folder(dependencies.state_files.staging)
    for folder, name in (("a" * 32, "trivy.json"), ("b" * 32, "mine.json")):
        (staging / folder).mkdir()
        (staging / folder / name).write_text(good(name))
    ledger = Ledger(old)
    intake = Intake(replace(dependencies, ledger=ledger))

    (submitted,) = intake.recover()  # what was submitted and had no run yet
    assert submitted.manifest.priority == 10
    assert [item.name for item in submitted.manifest.inputs] == ["mine.json"]
    submitted.manifest.status = "completed"
    submitted.save()

    (inbox / "new.json").write_text(good("new"))
    assert intake.receive(inbox / "new.json", inbox) == "accepted"
    gathered = intake.close()
    assert gathered is not None
    assert {item.name: item.verdict for item in gathered.manifest.inputs} == {
        "trivy.json": "received",
        "new.json": "received",
        "note.txt": "refused",
        "again.json": "refused",
        "empty.json": "empty",
    }
    assert enqueued == [submitted.run_id, gathered.run_id]
    assert ledger.counts() == {"duplicate": 1, "failed": 1, "gone": 1, "nothing": 1, "queued": 3,
                               "refused": 1, "settling": 1}  # fmt: skip
    (inbox / "copy.json").write_text(good("new"))
    assert intake.receive(inbox / "copy.json", inbox) == "duplicate"


def test_a_ledger_from_before_there_were_priorities_learns_of_them(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("drop table priorities")
    again = Ledger(old)
    again.priorities.set("d", -3)
    assert again.priorities.of("d") == -3
    assert len(again.entries()) == 9


def test_migrations_are_made_in_their_order_and_only_once(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, MORE))
    for _ in range(2):
        Ledger(old)
        assert version(old) == 2
    assert {colour for (colour,) in ask(old, "select colour from files")} == {"red"}
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, MORE, ("delete from files where id > 1",)))
    assert [entry.id for entry in Ledger(old).entries()] == [1]
    assert version(old) == 3


def test_a_migration_that_fails_leaves_the_old_ledger(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(old)
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, MORE, ("select odd from nowhere",)))
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        Ledger(old)
    assert (version(old), content(old)) == (0, before)


DIES = """
import os, sqlite3, sys
from pathlib import Path
from daemon.inbox import migrations
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.create_function("die", 0, lambda: os._exit(9))
migrations.MIGRATIONS += (({first!r}, {second!r}, "select die()"),)
migrations.migrate(connection, Path(sys.argv[1]))
"""


def test_a_process_that_dies_in_the_middle_leaves_the_old_ledger(old: Path) -> None:
    before = content(old)
    code = DIES.format(first=MORE[0], second=MORE[1])
    died = subprocess.run([sys.executable, "-P", "-c", code, str(old)], check=False, timeout=60)
    assert died.returncode == 9
    assert (version(old), content(old)) == (0, before)
    assert len(Ledger(old).entries()) == 9


def test_several_that_open_an_old_ledger_at_once_migrate_it_once(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", (*MIGRATIONS, MORE))  # a second time it would fail
    together, opened = threading.Barrier(8), []

    def open_it() -> None:
        together.wait()
        opened.append(len(Ledger(old).entries()))

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert opened == [9] * 8
    assert version(old) == 2


NEWER = "inbox.db was written by a newer sectune: version 7, this one knows 1."


@pytest.fixture
def newer(old: Path) -> Path:
    tell_version(old, 7)
    return old


@pytest.mark.parametrize("use", [Ledger, lambda path: counts(str(path))], ids=["ledger", "counts"])
def test_a_newer_ledger_is_refused_by_name_and_left_as_it_is(
    newer: Path, use: Callable[[Path], object]
) -> None:
    before = newer.read_bytes()
    with pytest.raises(OperatorError) as caught:
        use(newer)
    assert caught.value.message == NEWER
    assert caught.value.remedy == (
        f"Install that sectune again, or move {newer} away: without it the inbox is read anew."
    )
    assert newer.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("inbox",)], ids=" ".join)
def test_commands_say_that_the_ledger_is_newer_and_print_no_traceback(
    newer: Path, settings: Settings, words: tuple[str, ...]
) -> None:
    state = files.private_folder(settings.paths.state_dir or Path(os.devnull))
    newer.replace(state / "inbox.db")
    paths = {
        f"SECTUNE__PATHS__{name.upper()}": str(getattr(settings.paths, name))
        for name in ("inbox", "models_dir", "state_dir")
    }
    for _ in range(2):  # the ordinary way first, then with a snapshot of the settings
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "daemon", *words],
            env={**os.environ, **paths},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (answer.returncode, answer.stdout) == (1, "")
        first, second = answer.stderr.splitlines()
        assert first == f"sectune: {NEWER}"
        assert "read anew" in second


def test_the_doctor_tells_of_a_newer_ledger_and_goes_on(newer: Path, settings: Settings) -> None:
    loaded = Loaded(settings, {}, Path(os.devnull))
    check = running.databases(loaded, newer.parent)
    assert not check.passed
    assert check.seen == f"inbox.db: {NEWER}"
    assert running.stuck_files(loaded, newer.parent).passed


def test_the_doctor_migrates_nothing(old: Path, settings: Settings) -> None:
    check = running.stuck_files(Loaded(settings, {}, Path(os.devnull)), old.parent)
    assert check.seen == "1 of 8 files could not be read"
    assert version(old) == 0


def test_a_file_of_the_machine_that_failed_in_an_old_ledger_can_be_taken_now(old: Path) -> None:
    ledger = Ledger(old)
    stamp = Stamp(105, 1_700_000_000_000_000_005, 1005)
    ledger.note(Path("/home/dev/inbox/big.json"), stamp, FileState.ACCEPTED, "taken", sha256="5" * 64)
    known = ledger.known(Path("/home/dev/inbox/big.json"), stamp)
    assert known is not None
    assert (known.id, known.state) == (6, "accepted")
