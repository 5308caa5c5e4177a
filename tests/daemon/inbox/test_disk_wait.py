"""What the daemon itself writes: on a full disk it waits, says so and loses nothing."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.settings import Log, Settings
from daemon.inbox.intake import Intake, IntakeDependencies
from daemon.inbox.reasons import in_words
from daemon.log import configure
from jobs.fs import files, free_space

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    state = {"bytes": 10**12}
    monkeypatch.setattr(free_space, "free_bytes", lambda folder: state["bytes"])
    return state


def test_a_file_is_copied_only_where_the_reserve_stays_free(
    inbox: Path,
    intake: Intake,
    dependencies: IntakeDependencies,
    good: Callable[..., str],
    free: dict[str, int],
) -> None:
    path = inbox / "a.json"
    path.write_text(good())
    free["bytes"] = 512_000_000  # the reserve, and not a byte for the copy
    assert intake.receive(path, inbox) == "failed"
    (entry,) = dependencies.ledger.entries()
    assert entry.reason.startswith("the disk is full: waits for ")
    assert "a copy needs" in entry.reason
    assert entry.reason.endswith("will be tried again")
    assert path.exists()
    free["bytes"] = 10**12
    assert intake.receive(path, inbox) == "accepted"


def test_a_run_is_made_only_where_the_reserve_stays_free_and_made_later(
    inbox: Path,
    intake: Intake,
    dependencies: IntakeDependencies,
    good: Callable[..., str],
    free: dict[str, int],
    enqueued: list[str],
) -> None:
    path = inbox / "a.json"
    path.write_text(good())
    intake.receive(path, inbox)
    free["bytes"] = 512_000_000
    assert intake.close() is None
    (entry,) = dependencies.ledger.entries()
    assert entry.state == "accepted"
    assert "no run could be made: the disk is full: waits for " in entry.reason
    free["bytes"] = 10**12
    (run,) = intake.recover()
    assert enqueued == [run.run_id]


def test_the_plain_words_of_a_full_disk_stay_plain() -> None:
    assert in_words(FULL) == "the disk is full"
    assert in_words(OSError(errno.ENOSPC, "waits for 1 MB")) == "the disk is full: waits for 1 MB"
    assert in_words(OSError(errno.EIO, "odd")) == "odd"


def test_a_priority_survives_the_delivery_that_could_not_become_a_run_at_once(
    inbox: Path,
    intake: Intake,
    dependencies: IntakeDependencies,
    good: Callable[..., str],
    free: dict[str, int],
) -> None:
    path = inbox / "a.json"
    path.write_text(good())
    intake.receive(path, inbox, delivery="d1")
    dependencies.ledger.priorities.set("d1", 10)
    free["bytes"] = 0
    assert intake.make_run("d1") is None
    free["bytes"] = 10**12
    (run,) = Intake(dependencies).recover()
    assert run.manifest.priority == 10
    assert dependencies.ledger.priorities.of("another") == 0


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure(tmp_path, Log(level="info", max_bytes=100_000, backups=2), console=False)
    yield tmp_path
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


class FullStream:
    """A log file on a disk without room."""

    def write(self, text: str) -> int:
        raise FULL

    def flush(self) -> None:
        raise FULL

    def close(self) -> None:
        pass

    def seek(self, *where: int) -> int:
        return 0

    def tell(self) -> int:
        return 0


def test_a_log_on_a_full_disk_says_so_once_and_goes_on_when_there_is_room(
    logs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    handler: Any = logging.getLogger().handlers[0]
    real = handler.stream
    handler.stream = FullStream()

    def nothing(path: Path, text: str) -> None:
        raise FULL

    log = structlog.get_logger("sectune.x")
    with monkeypatch.context() as patch:
        patch.setattr(files, "append_line", nothing)
        for number in range(5):
            log.info("lost", run="r1", number=number)
    said = capsys.readouterr().err
    assert said.count("the disk is full") == 2  # the daemon's log and the run's, each once
    assert "Traceback" not in said
    handler.stream = real
    log.info("found", run="r1")
    assert capsys.readouterr().err.count("5 lines were late or lost") == 2
    assert '"found"' in (logs / "daemon.log").read_text()
    assert '"found"' in (logs / "runs" / "r1.log").read_text()


def test_a_queue_that_cannot_be_read_on_a_full_disk_costs_a_line_and_no_traceback(logs: Path) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    for raised, tracebacks in ((error, 0), (ZeroDivisionError("odd"), 1)):
        try:
            raise raised
        except Exception:
            logging.getLogger("huey.consumer").exception("Error reading from queue")
        assert (logs / "daemon.log").read_text().count("Traceback") == tracebacks
    assert "Error reading from queue: database or disk is full" in (logs / "daemon.log").read_text()


def test_the_settings_keep_half_a_gigabyte_free(settings: Settings) -> None:
    assert settings.disk.reserve_mb == 512
