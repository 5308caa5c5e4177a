"""The doctor: each fault is seen, explained, and comes with what to type; looking changes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.load import Loaded, load
from config.settings import Settings
from daemon.doctor import folders, machine, running
from daemon.doctor.check import CheckResult
from daemon.doctor.examine import CHECKS, examine
from daemon.inbox.entry import Stamp
from daemon.inbox.file_state import FileState
from daemon.inbox.intake import IntakeDependencies
from daemon.service.manager import agent_file
from jobs.fs.files import FileLock, private_folder
from jobs.runs.store import Run


@pytest.fixture
def state(settings: Settings) -> Path:
    return private_folder(settings.paths.state_dir or Path())


@pytest.fixture
def loaded(settings: Settings, isolated_home: Path) -> Loaded:
    return Loaded(settings, {}, isolated_home / "config.yaml")


def failed(check: CheckResult) -> bool:
    """Whether it failed, and then in whole words."""
    if not check.passed:
        assert check.seen
        assert check.why.endswith(".")
        assert check.fix
    return not check.passed


def test_there_are_at_least_fifteen_checks_and_their_names_are_unique(loaded: Loaded, state: Path) -> None:
    made = examine(loaded, state)
    assert len({check.id for check in made}) == len(CHECKS) >= 15
    assert all(check.seen for check in made)


def test_looking_creates_nothing(loaded: Loaded, isolated_home: Path) -> None:
    examine(loaded, isolated_home / "state")
    assert list(isolated_home.iterdir()) == []


def test_every_failed_check_says_why_and_how(loaded: Loaded, state: Path) -> None:
    assert any(failed(check) for check in examine(loaded, state))


def test_what_may_not_even_be_looked_at_fails_that_check_alone(
    loaded: Loaded, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted", "/guarded")

    monkeypatch.setattr("shutil.disk_usage", forbidden)
    bad = [check for check in examine(loaded, state) if "Operation not permitted" in check.seen]
    assert [check.id for check in bad] == ["disk"]
    assert failed(bad[0])


def test_an_intel_mac_and_rosetta_are_told(
    loaded: Loaded, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    for word, bad in (("x86_64", True), ("arm64", False)):
        monkeypatch.setattr("platform.machine", lambda word=word: word)
        assert failed(machine.processor(loaded, state)) is bad


def test_too_little_memory_for_the_weights_is_told(
    loaded: Loaded, state: Path, base_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "weights" in machine.memory(loaded, state).seen
    monkeypatch.setattr(os, "sysconf", lambda name: 1000)
    assert failed(machine.memory(loaded, state))


def test_a_hook_that_is_not_there_is_told(
    settings_with: Callable[[dict[str, str]], Settings], isolated_home: Path, state: Path
) -> None:
    for program, bad in (("/nowhere/hook", True), (sys.executable, False)):
        changed = Loaded(settings_with({"notify.command": f"[{program}, -x]"}), {}, isolated_home)
        assert failed(machine.hook(changed, state)) is bad


def test_quiet_hours_are_shown_and_no_fault(
    settings_with: Callable[[dict[str, str]], Settings], isolated_home: Path, state: Path
) -> None:
    changed = Loaded(settings_with({"power.quiet_hours": "00:00-23:59"}), {}, isolated_home)
    check = machine.supply(changed, state)
    assert check.passed
    assert "quiet hours" in check.seen


def test_settings_that_others_can_write_are_told(loaded: Loaded, state: Path) -> None:
    loaded.user_file.write_text("")
    for mode, bad in ((0o666, True), (0o644, False)):
        loaded.user_file.chmod(mode)
        assert failed(folders.settings_file(loaded, state)) is bad


def test_a_state_folder_that_others_can_read_is_told_with_its_exact_fix(loaded: Loaded, state: Path) -> None:
    state.chmod(0o755)
    check = folders.state_folder(loaded, state)
    assert failed(check)
    assert check.fix == f"chmod 700 {state}"


def test_a_guarded_inbox_is_told_on_macos_only(
    settings_with: Callable[[dict[str, str]], Settings],
    isolated_home: Path,
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guarded = str(isolated_home / "Downloads" / "scans")
    environ = {"SECTUNE__PATHS__INBOX": guarded}
    changed = Loaded(load(environ=environ).settings, {}, isolated_home)
    for platform, bad in (("darwin", True), ("linux", False)):
        monkeypatch.setattr(sys, "platform", platform)
        assert failed(folders.privacy(changed, state)) is bad


def test_a_synchronised_models_folder_is_told(isolated_home: Path, state: Path) -> None:
    environ = {"SECTUNE__PATHS__MODELS_DIR": str(isolated_home / "Dropbox" / "models")}
    assert failed(folders.synced(Loaded(load(environ=environ).settings, {}, isolated_home), state))


def test_a_models_folder_that_is_a_file_is_told(loaded: Loaded, state: Path) -> None:
    assert not failed(folders.models_folder(loaded, state))
    loaded.settings.paths.models_dir.write_text("")
    assert failed(folders.models_folder(loaded, state))


def test_a_daemon_of_another_version_is_told(loaded: Loaded, state: Path) -> None:
    assert failed(running.daemon(loaded, state))
    assert not failed(running.version(loaded, state))
    with FileLock(state / "daemon.lock", "pid 7 sectune 0.0.0"):
        assert not failed(running.daemon(loaded, state))
        check = running.version(loaded, state)
        assert failed(check)
        assert check.fix.startswith("sectune restart")


def test_an_agent_of_another_installation_is_told(loaded: Loaded, state: Path) -> None:
    assert not failed(running.the_agent(loaded, state))
    agent_file().parent.mkdir(parents=True)
    agent_file().write_text("old")
    check = running.the_agent(loaded, state)
    assert failed(check)
    assert check.fix == "sectune install"


@pytest.mark.parametrize("name", ["queue.db", "inbox.db"])
def test_a_damaged_database_is_told(loaded: Loaded, state: Path, name: str) -> None:
    assert not failed(running.databases(loaded, state))
    (state / name).write_bytes(b"this is no database" * 100)
    check = running.databases(loaded, state)
    assert failed(check)
    assert name in check.seen
    assert running.stuck_files(loaded, state).passed


def test_a_file_that_the_machine_keeps_from_being_read_is_told(
    loaded: Loaded, state: Path, dependencies: IntakeDependencies
) -> None:
    assert not failed(running.stuck_files(loaded, state))
    dependencies.ledger.note(Path("/inbox/a.json"), Stamp(1, 1, 1), FileState.FAILED, "the disk is full")
    assert failed(running.stuck_files(loaded, state))


def test_runs_that_wait_for_a_person_and_unreadable_ones_are_told(
    loaded: Loaded, state: Path, make_run: Callable[..., Run]
) -> None:
    run, broken = make_run(), make_run(delivery="d2")
    assert not failed(running.runs(loaded, state))
    run.manifest.status = "needs_attention"
    run.save()
    broken.folder.manifest.write_text("{")
    check = running.runs(loaded, state)
    assert failed(check)
    assert f"sectune runs show {run.run_id}" in check.fix
    assert broken.run_id in check.seen


def test_a_training_without_a_daemon_is_told(loaded: Loaded, state: Path) -> None:
    assert not failed(running.trainer(loaded, state))
    with FileLock(state / "device.lock", "pid 7 run train_1"):
        assert failed(running.trainer(loaded, state))
        with FileLock(state / "daemon.lock", "pid 8 sectune 0.1.0"):
            assert not failed(running.trainer(loaded, state))


def test_a_current_model_that_is_gone_is_told(loaded: Loaded, state: Path) -> None:
    assert not failed(running.current(loaded, state))
    certified = private_folder(loaded.settings.paths.models_dir / "certified")
    (certified / "CURRENT").symlink_to("gone")
    assert failed(running.current(loaded, state))
    (certified / "gone").mkdir()
    assert not failed(running.current(loaded, state))
