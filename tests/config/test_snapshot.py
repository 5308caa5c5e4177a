"""A snapshot of the settings is used only as long as everything it depends on is as it was."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config import cache, snapshot
from config.load import load
from config.settings import Settings

Keep = Callable[[], bool]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's settings file, which has been there for a while."""
    path = tmp_path / "config.yaml"
    path.write_text("seed: 7\n")
    monkeypatch.setenv("SECTUNE_CONFIG", str(path))
    monkeypatch.setattr(snapshot, "settled", lambda look: True)
    return path


def keep() -> None:
    before = cache.look_of(os.environ["SECTUNE_CONFIG"])
    snapshot.remember(load(), before)


def test_the_settings_of_a_snapshot_read_like_those_that_were_loaded(file: Path) -> None:
    keep()
    found = snapshot.recall()
    assert found is not None
    light = snapshot.Light(found["settings"], found["version"]).as_settings
    loaded = load().settings
    assert (light.seed, light.inbox.stable_seconds) == (7, loaded.inbox.stable_seconds)
    assert light.paths.inbox == loaded.paths.inbox
    assert light.notify.command is None
    entire = snapshot.whole(light)
    assert isinstance(entire, Settings)
    assert entire.model_dump(exclude={"paths"}) == loaded.model_dump(exclude={"paths"})
    assert snapshot.whole(loaded) is loaded
    assert snapshot.state_of(light) == snapshot.state_of(loaded)
    assert snapshot.version(light) == snapshot.version(loaded)


def test_a_changed_file_makes_it_worthless(file: Path) -> None:
    keep()
    file.write_text("seed: 8\n")
    assert snapshot.recall() is None
    keep()
    file.unlink()
    assert snapshot.recall() is None


@pytest.mark.parametrize("name", ["SECTUNE__SEED", "XDG_STATE_HOME", "HOME"])
def test_a_changed_environment_makes_it_worthless(
    file: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    keep()
    monkeypatch.setenv(name, "9")
    assert snapshot.recall() is None


def test_changed_code_makes_it_worthless(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    look_of = cache.look_of

    def newer(path: str) -> cache.Look | None:
        return [1, 2, 3, 4] if path.endswith("defaults.yaml") else look_of(path)

    monkeypatch.setattr(snapshot, "look_of", newer)
    assert snapshot.recall() is None


def test_a_torn_snapshot_is_none(file: Path) -> None:
    keep()
    (kept,) = Path(cache.cache_folder() or "").glob("settings-*.json")
    kept.write_text(kept.read_text()[:50])
    assert snapshot.recall() is None


def test_it_is_for_its_owners_eyes_and_holds_no_address_of_a_queue(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("queue: {storage: redis, url: 'redis://:secret@host/0'}\n")
    keep()
    (kept,) = Path(cache.cache_folder() or "").glob("settings-*.json")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert "secret" not in kept.read_text()
    monkeypatch.setenv("SECTUNE__QUEUE__URL", "redis://:secret@host/0")
    assert snapshot.key() is None
    assert snapshot.recall() is None


def test_few_of_them_are_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(snapshot.KEPT + 3):
        monkeypatch.setenv("SECTUNE__SEED", str(number))
        keep()
    assert len(list(Path(cache.cache_folder() or "").glob("settings-*.json"))) == snapshot.KEPT


@pytest.mark.parametrize(
    ("age", "in_whole_seconds", "still"),
    [(0.0, False, False), (1.0, False, True), (0.0, True, False), (5.0, True, True)],
)
def test_a_file_is_settled_once_another_change_would_show(
    age: float, in_whole_seconds: bool, still: bool
) -> None:
    # Whole seconds tell of a file system that writes times down in steps of up to two seconds.
    moment = time.time_ns() - int(age * 1e9)
    moment = moment // 10**9 * 10**9 if in_whole_seconds else moment | 1
    assert cache.settled([1, moment, moment, 1]) is still


def test_what_is_not_there_is_settled() -> None:
    assert cache.look_of("/nowhere/at/all") is None
    assert cache.settled(None)
