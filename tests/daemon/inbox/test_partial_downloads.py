"""What browsers and download tools do to a folder, replayed: nothing half-written is read, the whole once.

Scans come every half second of a simulated clock. Every read of the intake is on record with what it read.
"""

from __future__ import annotations

import io
import os
import shutil
import threading
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Settings
from daemon.inbox import inspection
from daemon.inbox.intake import Intake, IntakeDependencies
from daemon.inbox.watcher import Watcher

STABLE, QUIET = 5.0, 60.0
Good = Callable[..., str]


class Scene:
    """An inbox, the clock, and what was read."""

    def __init__(self, watcher: Watcher, whole: bytes) -> None:
        self.watcher = watcher
        self.inbox = watcher.root
        self.whole = whole
        self.moment = 1000.0
        self.read: list[tuple[str, bytes]] = []

    def wait(self, seconds: float) -> None:
        """Let time pass; the inbox is scanned."""
        for _ in range(int(seconds * 2)):
            self.moment += 0.5
            self.watcher.scan(self.moment)

    def put(self, name: str, content: bytes) -> Path:
        """Write a file in place, as a program does that keeps it open."""
        path = self.inbox / name
        path.parent.mkdir(exist_ok=True)
        with path.open("r+b" if path.exists() else "wb") as stream:
            stream.write(content)
        # The simulated clock runs faster than the file system's: each write is a new time.
        os.utime(path, ns=(int(self.moment * 1e9), int(self.moment * 1e9)))
        return path

    def grow(self, name: str, pauses: tuple[float, ...]) -> None:
        """Write the whole in parts, with a pause after each but the last."""
        for number, pause in enumerate(pauses, start=1):
            self.put(name, self.whole[: len(self.whole) * number // (len(pauses) + 1)])
            self.wait(pause)
        self.put(name, self.whole)

    def rename(self, old: str, new: str) -> None:
        (self.inbox / old).replace(self.inbox / new)


def chrome(scene: Scene) -> None:
    scene.grow("Unconfirmed 123456.crdownload", (2, 20, 3))
    scene.rename("Unconfirmed 123456.crdownload", "report.json")


def chrome_with_a_name(scene: Scene) -> None:
    scene.put("report.json", b"")  # keeps the name while the user is asked
    scene.wait(20)
    scene.grow("report.json.crdownload", (2, 20))
    scene.rename("report.json.crdownload", "report.json")


def firefox(scene: Scene) -> None:
    scene.put("report.json", b"")
    scene.grow("report.json.part", (2, 20, 3))
    scene.rename("report.json.part", "report.json")


def firefox_with_a_random_name(scene: Scene) -> None:
    scene.put("report.json", b"")
    scene.grow("report.Ab12CdEf.json.part", (2, 20, 3))
    scene.rename("report.Ab12CdEf.json.part", "report.json")


def safari(scene: Scene) -> None:
    scene.put("report.json.download/Info.plist", b"<plist/>")
    scene.grow("report.json.download/report.json", (2, 20))
    scene.rename("report.json.download/report.json", "report.json")
    scene.wait(1)
    shutil.rmtree(scene.inbox / "report.json.download")


def aria2(scene: Scene) -> None:
    scene.put("report.json.aria2", b"control")
    middle = len(scene.whole) // 2
    scene.put("report.json", bytes(len(scene.whole)))  # the full size at once
    scene.wait(20)
    scene.put("report.json", bytes(middle) + scene.whole[middle:])  # the second half first
    scene.wait(20)
    scene.put("report.json", scene.whole)
    scene.wait(20)
    (scene.inbox / "report.json.aria2").unlink()


def curl(scene: Scene) -> None:
    scene.grow("report.json", (1, 4, 4.5, 2))  # always shorter than the stability time


def rsync(scene: Scene) -> None:
    scene.grow(".report.json.Xk3f9Q", (2, 20, 3))
    scene.rename(".report.json.Xk3f9Q", "report.json")
    old = 1_600_000_000 * 10**9  # rsync -t gives the file its source's time
    os.utime(scene.inbox / "report.json", ns=(old, old))


def rsync_with_a_partial_folder(scene: Scene) -> None:
    scene.grow(".rsync-partial/report.json", (20, 20))
    scene.rename(".rsync-partial/report.json", "report.json")


def opera(scene: Scene) -> None:
    scene.grow("report.json.opdownload", (2, 20))
    scene.rename("report.json.opdownload", "report.json")


def partial(scene: Scene) -> None:
    scene.grow("report.json.partial", (2, 20))
    scene.rename("report.json.partial", "report.json")


def temporary(scene: Scene) -> None:
    scene.grow("report.json.tmp", (2, 20))
    scene.rename("report.json.tmp", "report.json")


SEQUENCES = (
    chrome,
    chrome_with_a_name,
    firefox,
    firefox_with_a_random_name,
    safari,
    aria2,
    curl,
    rsync,
    rsync_with_a_partial_folder,
    opera,
    partial,
    temporary,
)


@pytest.fixture
def scene(
    settings: Settings,
    dependencies: IntakeDependencies,
    inbox: Path,
    good: Good,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    times = settings.inbox.model_copy(update={"stable_seconds": STABLE, "quiet_seconds": QUIET})
    patient = replace(dependencies, settings=settings.model_copy(update={"inbox": times}))
    watcher = Watcher(inbox, times, Intake(patient), dependencies.ledger, threading.Event())
    watcher.settling.last_change = 0.0
    made = Scene(watcher, good().encode())
    copy = inspection._copy

    def recorded(source: Path, target: Path) -> None:
        copy(source, target)
        made.read.append((source.name, target.read_bytes()))

    monkeypatch.setattr(inspection, "_copy", recorded)
    return made


def one_run_with(scene: Scene, content: bytes) -> bool:
    (run,) = scene.watcher.intake.store.list()[0]
    (folder,) = run.folder.reports.iterdir()
    (file,) = folder.iterdir()
    return file.read_bytes() == content


@pytest.mark.slow
@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence.__name__)
def test_only_the_finished_download_is_read_and_only_once(
    scene: Scene, sequence: Callable[[Scene], None], enqueued: list[str]
) -> None:
    sequence(scene)
    assert scene.read == []
    scene.wait(STABLE - 1)
    assert scene.read == []  # the end of the download is a change, too
    scene.wait(QUIET + STABLE)
    assert scene.read == [("report.json", scene.whole)]
    assert len(enqueued) == 1
    assert one_run_with(scene, scene.whole)
    states = {Path(entry.path).name: entry.state for entry in scene.watcher.ledger.entries()}
    assert states.pop("report.json") == "queued"
    assert set(states.values()) <= {"gone"}


def zipped(text: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("trivy.json", text)
    return stream.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["json", "zip"])
def test_a_download_that_stalls_without_a_mark_is_told_from_a_report_by_its_format(
    scene: Scene, enqueued: list[str], form: str
) -> None:
    # curl and cp leave no mark: after a pause longer than the stability time half a file is looked at.
    if form == "zip":
        scene.whole = zipped(scene.whole)
    name = f"report.{form}"
    scene.grow(name, (STABLE + 10, 2, STABLE + 10))
    assert [content for _, content in scene.read if content == scene.whole] == []
    assert enqueued == []
    (entry,) = scene.watcher.ledger.entries()
    assert entry.state in ("refused", "settling")
    scene.wait(QUIET + 2 * STABLE)
    assert [content for _, content in scene.read if content == scene.whole] == [scene.whole]
    assert len(enqueued) == 1
    assert one_run_with(scene, scene.whole)


@pytest.mark.slow
def test_an_empty_file_waits_for_its_content_and_holds_up_no_delivery(
    scene: Scene, good: Good, enqueued: list[str]
) -> None:
    scene.put("empty.json", b"")
    scene.put("other.json", good("other").encode())
    scene.wait(QUIET + 2 * STABLE)
    assert [name for name, _ in scene.read] == ["other.json"]
    assert len(enqueued) == 1
    (empty,) = [entry for entry in scene.watcher.ledger.entries() if entry.path.endswith("empty.json")]
    assert (empty.state, empty.reason) == ("settling", "waits for its content, it is empty")
