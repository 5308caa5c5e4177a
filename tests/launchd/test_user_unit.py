"""The systemd user unit's life against scripted systemctl and loginctl."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from launchd.run_program import ServiceError
from launchd.service import ServiceManager
from launchd.systemd import UserUnit

if TYPE_CHECKING:
    from tests.launchd.conftest import Machine

REAL_ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture
def unit(machine: Machine) -> UserUnit:
    return UserUnit(machine.manager(), 1000, machine.home / "systemd" / "user")


@pytest.mark.slow
def test_an_installation_enables_starts_and_waits_for_our_own_answer(
    machine: Machine, unit: UserUnit
) -> None:
    unit.install()
    verbs = [call.split()[2] for call in machine.get("calls") if call.startswith("systemctl")]
    wanted = [verb for verb in verbs if verb != "show"]
    assert wanted == ["daemon-reload", "enable", "reset-failed", "start"]
    assert machine.said[-1] == "the daemon answers: pid 4242 sectune 0.1.0"


def test_the_unit_leaves_the_training_child_alone_and_says_what_the_agent_says(unit: UserUnit) -> None:
    lines = unit.content().decode().splitlines()
    for line in (
        'ExecStart="/opt/sectune/bin/sectune" run',
        'Environment="SECTUNE_CONFIG=/data/my settings.yaml"',
        "Restart=on-failure",
        "KillMode=process",
        "UMask=0077",
    ):
        assert line in lines


@pytest.mark.skipif(REAL_ANALYZE is None, reason="needs systemd-analyze")
def test_systemd_itself_finds_no_fault_in_the_unit(
    machine: Machine, unit: UserUnit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = replace(unit.manager.daemon, program=Path("/bin/true"))
    file = tmp_path / "sectune.service"
    file.write_bytes(UserUnit(ServiceManager(daemon), 1000, tmp_path).content())
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    words = [str(REAL_ANALYZE), "verify", "--user", "--man=no", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    about_ours = [line for line in done.stderr.splitlines() if "sectune.service" in line]
    assert about_ours == []


def test_percent_signs_and_quotes_arrive_as_they_are_and_line_breaks_are_refused(machine: Machine) -> None:
    manager = machine.manager()
    odd = replace(manager.daemon, environment={"A": '100% "so"\\'})
    text = UserUnit(ServiceManager(odd), 1000, machine.home).content().decode()
    assert 'Environment="A=100%% \\"so\\"\\\\"' in text
    with pytest.raises(ServiceError):
        UserUnit(ServiceManager(replace(odd, environment={"A": "1\n2"})), 1000, machine.home).content()


@pytest.mark.slow
def test_who_ends_at_logout_is_told_about_lingering(machine: Machine, unit: UserUnit) -> None:
    machine.set(linger="no")
    unit.install()
    assert "loginctl enable-linger" in machine.said[-1]


def test_a_missing_session_is_explained(machine: Machine, unit: UserUnit) -> None:
    machine.set(answers={"show": [1]}, said={"show": "Failed to connect to bus: No medium found"})
    with pytest.raises(ServiceError) as caught:
        unit.install()
    assert "enable-linger" in caught.value.remedy
    assert "sectune run" in caught.value.remedy


@pytest.mark.slow
def test_a_unit_that_drains_slowly_is_waited_for(machine: Machine, unit: UserUnit) -> None:
    unit.install()
    machine.set(drain=5)
    unit.stop()
    assert unit.state().words == "stopped"


@pytest.mark.slow
def test_a_unit_that_fails_is_told_with_its_exit_code(machine: Machine, unit: UserUnit) -> None:
    machine.set(starts=False, failed=True)
    with pytest.raises(ServiceError, match=r"last exit 2 \(exit-code\), but nobody answers"):
        unit.install()


@pytest.mark.slow
def test_stop_start_restart_uninstall(machine: Machine, unit: UserUnit) -> None:
    unit.install()
    unit.stop()
    unit.start()
    machine.set(pid=9)
    unit.restart()
    assert unit.state().pid == 4242
    machine.trainers = ["train_2 of r1"]
    unit.uninstall()
    assert not unit.file.exists()
    assert machine.said[-1] == "ended: train_2 of r1"
    (backup,) = (machine.home / "state" / "backups").iterdir()
    assert backup.read_bytes() == unit.content()


@pytest.mark.parametrize("verb", ["install", "uninstall", "start", "stop", "restart"])
def test_root_is_refused(machine: Machine, verb: str) -> None:
    with pytest.raises(ServiceError, match="not to root"):
        getattr(UserUnit(machine.manager(), 0, machine.home), verb)()
    assert machine.calls == []


@pytest.mark.slow
def test_a_hanging_systemctl_is_ended(machine: Machine, unit: UserUnit) -> None:
    machine.set(hang=["show"])
    manager = ServiceManager(unit.manager.daemon, replace(unit.manager.timeouts, call=0.5))
    with pytest.raises(ServiceError, match="did not answer"):
        UserUnit(manager, 1000, unit.file.parent).stop()


@pytest.mark.slow
def test_without_loginctl_an_installation_succeeds_all_the_same(
    machine: Machine, unit: UserUnit, without: Callable[[Machine, str], None]
) -> None:
    without(machine, "loginctl")
    unit.install()
    assert unit.state().pid == 4242
