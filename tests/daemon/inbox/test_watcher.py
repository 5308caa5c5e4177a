"""The watcher: when it reads, when it closes a delivery, and what it survives."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Settings
from daemon.inbox import inspection
from daemon.inbox.intake import Intake, IntakeDependencies
from daemon.inbox.watcher import Watcher
from daemon.sleep import Clocks

Good = Callable[..., str]
PATIENCE = 10.0


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")


@pytest.fixture
def watcher(settings: Settings, dependencies: IntakeDependencies, inbox: Path) -> Watcher:
    times = settings.inbox.model_copy(update={"stable_seconds": 5, "quiet_seconds": 60, "scan_seconds": 30})
    changed = replace(dependencies, settings=settings.model_copy(update={"inbox": times}))
    made = Watcher(inbox, times, Intake(changed), dependencies.ledger, threading.Event())
    made.settling.last_change = 0.0
    return made


def state_of(watcher: Watcher, name: str) -> str:
    return next(entry.state for entry in watcher.ledger.entries() if entry.path.endswith(name))


def reason_of(watcher: Watcher, name: str) -> str:
    return next(entry.reason for entry in watcher.ledger.entries() if entry.path.endswith(name))


def test_a_delivery_closes_after_the_quiet_period_and_gathers_what_comes_meanwhile(
    watcher: Watcher, inbox: Path, good: Good, enqueued: list[str]
) -> None:
    (inbox / "a.json").write_text(good("alpha"))
    assert watcher.scan(100.0)
    assert state_of(watcher, "a.json") == "settling"
    assert watcher.scan(105.0)
    assert state_of(watcher, "a.json") == "accepted"
    (inbox / "b.json").write_text(good("beta"))
    watcher.scan(150.0)
    watcher.scan(170.0)  # 70 s after the first, 20 s after the second
    assert enqueued == []
    assert not watcher.scan(210.0)
    (run,) = watcher.intake.store.list()[0]
    assert enqueued == [run.run_id]
    assert sorted(item.name for item in run.manifest.inputs) == ["a.json", "b.json"]


def test_a_settled_file_is_received_exactly_once(
    watcher: Watcher,
    inbox: Path,
    good: Good,
    monkeypatch: pytest.MonkeyPatch,
    dependencies: IntakeDependencies,
) -> None:
    received: list[str] = []
    receive = watcher.intake.receive

    def counted(path: Path, root: Path) -> str:
        received.append(path.name)
        return receive(path, root)

    monkeypatch.setattr(watcher.intake, "receive", counted)
    for name in ("a.json", "page.html"):
        (inbox / name).write_text(good() if name == "a.json" else "<html></html>")
    for moment in range(100, 400, 5):
        watcher.scan(float(moment))
    reborn = Watcher(inbox, watcher.times, watcher.intake, dependencies.ledger, threading.Event())
    for moment in range(400, 500, 5):
        reborn.scan(float(moment))
    assert sorted(received) == ["a.json", "page.html"]


@pytest.mark.slow
def test_a_file_that_fails_is_tried_at_each_scan_and_holds_up_no_delivery(
    watcher: Watcher, inbox: Path, good: Good, enqueued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, tries = inspection._copy, [0]

    def guarded(source: Path, target: Path) -> None:
        if source.name == "bad.json":
            tries[0] += 1
            raise PermissionError(13, "Permission denied")
        copy(source, target)

    (inbox / "bad.json").write_text(good("alpha"))
    (inbox / "fine.json").write_text(good("beta"))
    with monkeypatch.context() as patched:
        patched.setattr(inspection, "_copy", guarded)
        for half_seconds in range(200, 400):
            watcher.scan(half_seconds / 2)
    assert len(enqueued) == 1
    assert state_of(watcher, "bad.json") == "failed"
    assert 3 <= tries[0] <= 5  # 95 s after it had settled, at most every 30 s
    watcher.scan(300.0)
    assert state_of(watcher, "bad.json") == "accepted"
    for run in watcher.intake.store.list()[0]:  # what it gathers behind
        run.manifest.status = "completed"
        run.save()
    watcher.scan(300.5)
    assert state_of(watcher, "bad.json") == "queued"


def test_a_download_that_was_broken_off_holds_up_no_delivery(
    watcher: Watcher, inbox: Path, good: Good, enqueued: list[str]
) -> None:
    (inbox / "old.json.crdownload").write_text("{")
    (inbox / "a.json").write_text(good())
    for moment in range(100, 180, 5):
        watcher.scan(float(moment))
    assert len(enqueued) == 1
    assert reason_of(watcher, "crdownload") == "waits for its download to end"


def test_a_file_that_vanishes_before_it_was_read_is_gone_even_after_a_restart(
    watcher: Watcher, inbox: Path, dependencies: IntakeDependencies
) -> None:
    (inbox / "a.json").write_text("{")
    watcher.scan(100.0)
    (inbox / "a.json").unlink()
    Watcher(inbox, watcher.times, watcher.intake, dependencies.ledger, threading.Event()).scan(1.0)
    assert state_of(watcher, "a.json") == "gone"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_listed_is_told_and_read_later(
    watcher: Watcher, inbox: Path, good: Good
) -> None:
    fill(inbox, "locked/a.json")
    (inbox / "locked").chmod(0)
    watcher.scan(100.0)
    assert reason_of(watcher, "locked").startswith("no permission")
    (inbox / "locked").chmod(0o700)
    watcher.scan(130.0)
    assert [Path(entry.path).name for entry in watcher.ledger.entries()] == ["a.json"]


def test_a_folder_the_system_does_not_list_is_told(
    watcher: Watcher, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(inbox, "locked/a.json")
    scandir = os.scandir

    def guarded(path: str) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith("locked"):
            raise PermissionError(1, "Operation not permitted", str(path))
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", guarded)
        watcher.scan(100.0)
    assert reason_of(watcher, "locked").startswith("the system forbids reading it")
    watcher.scan(130.0)
    assert [Path(entry.path).name for entry in watcher.ledger.entries()] == ["a.json"]


@pytest.fixture
def live(settings: Settings, dependencies: IntakeDependencies, inbox: Path) -> Iterator[Watcher]:
    times = settings.inbox.model_copy(update={"stable_seconds": 0, "quiet_seconds": 0, "scan_seconds": 30})
    quick = replace(dependencies, settings=settings.model_copy(update={"inbox": times}))
    watcher = Watcher(inbox, times, Intake(quick), dependencies.ledger, threading.Event())
    yield watcher
    watcher.stopping.set()
    if watcher.is_alive():
        watcher.join(timeout=PATIENCE)


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
def test_what_lay_in_the_inbox_before_the_start_is_found(
    live: Watcher, inbox: Path, good: Good, dependencies: IntakeDependencies
) -> None:
    (inbox / "a.json").write_text(good())
    live.start()
    assert eventually(lambda: len(dependencies.store.list()[0]) == 1)


@pytest.mark.slow
def test_an_event_brings_a_file_in_long_before_the_next_scan(
    live: Watcher, inbox: Path, good: Good, enqueued: list[str]
) -> None:
    live.start()
    assert eventually(lambda: live._is_watching())
    time.sleep(0.3)  # the first scan is over; the next comes in 30 s
    (inbox / "a.json").write_text(good())
    assert eventually(lambda: len(enqueued) == 1)


@pytest.mark.slow
def test_an_inbox_that_is_deleted_and_recreated_is_watched_again(
    live: Watcher, inbox: Path, good: Good, enqueued: list[str]
) -> None:
    live.start()
    assert eventually(lambda: live._is_watching())
    shutil.rmtree(inbox)
    assert eventually(lambda: inbox.is_dir() and live._is_watching())
    time.sleep(0.3)
    (inbox / "a.json").write_text(good())
    assert eventually(lambda: len(enqueued) == 1)


@pytest.mark.slow
def test_without_events_the_scans_alone_go_on(
    live: Watcher, inbox: Path, good: Good, enqueued: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoEvents:
        emitters: tuple[()] = ()

        def schedule(self, *_: object, **__: object) -> None: ...

        def start(self) -> None:
            raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr("daemon.inbox.watcher.Observer", NoEvents)
    (inbox / "a.json").write_text(good())
    live.start()
    assert eventually(lambda: len(enqueued) == 1)


@pytest.mark.slow
def test_the_inbox_is_scanned_at_once_after_the_machine_slept(
    watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher.times = watcher.times.model_copy(update={"scan_seconds": 3600.0})
    wall = [1000.0]
    watcher._clocks = Clocks(lambda: wall[0], lambda: 5.0)
    waiting = threading.Thread(target=watcher._wait, args=(False,))
    waiting.start()
    waiting.join(0.7)
    assert waiting.is_alive()
    wall[0] += 600.0  # the wall's clock went on, the machine's own did not
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_a_storm_is_read_in_parts_and_what_changes_meanwhile_is_seen_before_it_is_read(
    watcher: Watcher, inbox: Path, good: Good, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.inbox.watcher.RECEIVE_SECONDS", 0.0)
    for name in "abc":
        (inbox / f"{name}.json").write_text(good(name))
    watcher.scan(100.0)
    watcher.scan(105.0)
    assert [state_of(watcher, f"{name}.json") for name in "abc"] == ["accepted", "settling", "settling"]
    (inbox / "b.json").write_text(good("changed"))
    watcher.scan(105.5)
    assert [state_of(watcher, f"{name}.json") for name in "abc"] == ["accepted", "settling", "accepted"]
    watcher.scan(110.5)
    assert state_of(watcher, "b.json") == "accepted"
