"""Power: what the systems' own texts say, when to wait, for whom to stay awake."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from config.settings import Power
from daemon import power
from daemon.power import PowerMonitor, PowerReading, from_pmset, from_supplies, reason_to_wait
from daemon.sleep import Clocks
from jobs.fs.files import FileLock
from jobs.runs.status import PowerReason
from jobs.runs.waiting import WaitingForPower

ON_BATTERY = "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t85%; discharging; 4:11 remaining"
ON_MAINS = "Now drawing from 'AC Power'\n -InternalBattery-0 (id=1)\t100%; charged; 0:00 remaining"
GENERAL = (
    "System-wide power settings:\nCurrently in use:\n standby              1\n lowpowermode         {}\n"
)
COOL = "Note: No thermal warning level has been recorded\n"
HOT = "CPU_Scheduler_Limit \t= 100\nCPU_Available_CPUs \t= 8\nCPU_Speed_Limit \t= 62\n"
NOON = datetime(2026, 3, 1, 12, 0)


def policy(**changes: object) -> Power:
    values = {"on_battery": "wait", "in_low_power_mode": "wait", "quiet_hours": None, "keep_awake": True}
    return Power.model_validate({**values, **changes})


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ((ON_BATTERY, GENERAL.format(0), COOL), PowerReading(True, False, None)),
        ((ON_MAINS, GENERAL.format(1), HOT), PowerReading(False, True, 62)),
        ((ON_MAINS, " powermode            2\n", ""), PowerReading(False, False, None)),
        (("", "", ""), PowerReading()),
        (("No adapter attached.", "nonsense", "CPU_Speed_Limit = many"), PowerReading()),
    ],
)
def test_the_texts_of_pmset_are_read(texts: tuple[str, str, str], expected: PowerReading) -> None:
    assert from_pmset(*texts) == expected


def supply(folder: Path, name: str, **facts: str) -> None:
    (folder / name).mkdir(parents=True)
    for fact, value in facts.items():
        (folder / name / fact).write_text(f"{value}\n")


def test_linux_on_battery_is_a_discharging_battery_without_mains(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", type="Battery", status="Discharging")
    supply(tmp_path, "AC", type="Mains", online="0")
    assert from_supplies(tmp_path, tmp_path / "none").on_battery is True
    (tmp_path / "AC" / "online").write_text("1")
    assert from_supplies(tmp_path, tmp_path / "none").on_battery is False


def test_a_mouses_battery_and_a_machine_without_any_say_nothing(tmp_path: Path) -> None:
    supply(tmp_path, "mouse", type="Battery", scope="Device", status="Discharging")
    assert from_supplies(tmp_path, tmp_path / "none") == PowerReading()
    assert from_supplies(tmp_path / "none", tmp_path / "none") == PowerReading()
    supply(tmp_path, "AC", type="Mains", online="1")
    assert from_supplies(tmp_path, tmp_path / "none").on_battery is False


def test_the_platform_profile_tells_of_low_power(tmp_path: Path) -> None:
    profile = tmp_path / "platform_profile"
    for text, expected in (("low-power\n", True), ("balanced\n", False), ("", None)):
        profile.write_text(text)
        assert from_supplies(tmp_path / "none", profile).low_power is expected


@pytest.mark.parametrize(
    ("changes", "reading", "expected"),
    [
        ({}, PowerReading(True, False), "battery"),
        ({"on_battery": "train"}, PowerReading(True, False), None),
        ({}, PowerReading(False, True), "low-power"),
        ({"in_low_power_mode": "train"}, PowerReading(False, True), None),
        ({}, PowerReading(), None),
        ({"quiet_hours": "11:00-13:00"}, PowerReading(), "quiet hours until 13:00"),
        ({"quiet_hours": "12:01-13:00"}, PowerReading(), None),
        ({"quiet_hours": "11:00-12:00"}, PowerReading(), None),
    ],
)
def test_each_reason_to_wait_names_itself_and_its_setting(
    changes: dict[str, str], reading: PowerReading, expected: str | None
) -> None:
    reason = reason_to_wait(policy(**changes), reading, NOON)
    if expected is None:
        assert reason is None
    else:
        assert reason is not None
        assert expected in str(reason)
        assert "(power." in str(reason)


@given(st.times(), st.times(), st.times())
def test_quiet_hours_and_their_complement_share_out_the_day(
    begin: object, end: object, moment: object
) -> None:
    first, last, clock = (f"{time_:%H:%M}" for time_ in (begin, end, moment))
    if first == last:
        return
    at = datetime.fromisoformat(f"2026-03-01T{clock}")
    inside = reason_to_wait(policy(quiet_hours=f"{first}-{last}"), PowerReading(), at)
    outside = reason_to_wait(policy(quiet_hours=f"{last}-{first}"), PowerReading(), at)
    assert (inside is None) != (outside is None)


@pytest.mark.parametrize("hours", ["22-7", "24:00-07:00", "22:00-22:00", "22:00", "22:00-07:60"])
def test_hours_that_make_no_sense_are_refused(hours: str) -> None:
    with pytest.raises(ValueError):
        policy(quiet_hours=hours)


def test_a_gap_between_the_clocks_is_a_sleep() -> None:
    wall, running = iter([0.0, 30.0, 4000.0, 4015.0]), iter([0.0, 30.0, 45.0, 60.0])
    clocks = Clocks(lambda: next(wall), lambda: next(running))
    assert [clocks.slept() for _ in range(3)] == [None, 3955.0, None]


@pytest.fixture
def monitor(tmp_path: Path) -> PowerMonitor:
    return PowerMonitor(policy(), tmp_path / "device.lock", "linux")


def test_the_monitor_says_when_what_held_the_device_up_is_over(monitor: PowerMonitor) -> None:
    assert monitor.pause_reason() is None
    assert not monitor.look(PowerReading(on_battery=True))
    assert monitor.pause_reason() == WaitingForPower(PowerReason.BATTERY)
    assert not monitor.look(PowerReading(on_battery=True))
    assert monitor.look(PowerReading(on_battery=False))
    assert monitor.pause_reason() is None
    assert not monitor.look(PowerReading(on_battery=False))


def test_each_change_of_heat_and_power_is_written_down_once(monitor: PowerMonitor) -> None:
    structlog.reset_defaults()
    with capture_logs() as lines:
        for limit in (62, 62, 100):
            monitor.look(PowerReading(on_battery=True, speed_limit=limit))
    assert [(line["event"], line.get("percent")) for line in lines] == [
        ("heat limits the processor", 62),
        ("the device is held", None),
        ("heat limits the processor", 100),
    ]


def test_heat_and_sleep_are_told_in_the_log_of_the_run_that_trains(monitor: PowerMonitor) -> None:
    structlog.reset_defaults()
    with FileLock(monitor.device_lock, "pid 7 run-1 train_1"), capture_logs() as lines:
        monitor.look(PowerReading(speed_limit=50))
    assert [line["run"] for line in lines] == ["run-1"]


def test_the_machine_is_kept_awake_for_each_trainer_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, seen = tmp_path / "tools", tmp_path / "seen"
    tools.mkdir()
    (tools / "caffeinate").write_text(f'#!/bin/sh\necho "$@" >> "{seen}"\n')
    (tools / "caffeinate").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monitor = PowerMonitor(policy(), tmp_path / "device.lock", "darwin")
    monitor.look(PowerReading())
    for holder in ("pid 71 run train_1", "pid 72 run train_2"):
        with FileLock(tmp_path / "device.lock", holder):
            monitor.look(PowerReading())
            monitor.look(PowerReading())
    deadline = time.monotonic() + 10
    while not seen.exists() or seen.read_text().count("\n") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    monitor.look(PowerReading())
    assert sorted(seen.read_text().splitlines()) == ["-i -s -w 71", "-i -s -w 72"]


@pytest.mark.parametrize(("platform", "keep_awake"), [("linux", True), ("darwin", False)])
def test_without_macos_or_the_setting_nothing_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, keep_awake: bool
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("started")

    monkeypatch.setattr("subprocess.Popen", never)
    monitor = PowerMonitor(policy(keep_awake=keep_awake), tmp_path / "device.lock", platform)
    with FileLock(tmp_path / "device.lock", "pid 71 run train_1"):
        assert not monitor.look(PowerReading())


def test_a_machine_whose_power_cannot_be_read_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setenv("PATH", "/nowhere")
    structlog.reset_defaults()
    with capture_logs() as lines:
        assert power.read_power() == PowerReading()
    assert lines[0]["event"] == "the power cannot be read"
