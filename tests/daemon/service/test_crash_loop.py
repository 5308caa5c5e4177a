"""Under launchd, a daemon that fails again and again stays down; anywhere else nothing is counted."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from daemon import cli
from daemon.service.crash_loop import STARTS, CrashLoop, run_guarded, starts_file


@pytest.fixture
def under_launchd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XPC_SERVICE_NAME", "io.sectune.agent")


def fail() -> None:
    raise RuntimeError("broken")


def at(moment: float) -> Callable[[], float]:
    return lambda: moment


@pytest.mark.usefixtures("under_launchd")
def test_the_sixth_start_within_ten_minutes_does_not_take_place_and_the_next_one_may() -> None:
    for number in range(STARTS):
        with pytest.raises(RuntimeError):
            run_guarded(fail, at(1000.0 + 30 * number))
    with pytest.raises(CrashLoop, match="sectune doctor"):
        run_guarded(fail, at(1200.0))
    ran: list[int] = []
    run_guarded(lambda: ran.append(1), at(1201.0))
    assert ran == [1]
    assert not starts_file().exists()


@pytest.mark.usefixtures("under_launchd")
def test_failures_that_lie_further_apart_are_no_loop() -> None:
    for number in range(3 * STARTS):
        with pytest.raises(RuntimeError):
            run_guarded(fail, at(1000.0 + 200 * number))


@pytest.mark.usefixtures("under_launchd")
@pytest.mark.parametrize("text", ["", "{", "null", '["x"]', "[99999999999]"])
def test_a_damaged_count_or_a_clock_that_went_back_begins_anew(text: str) -> None:
    starts_file().parent.mkdir(parents=True)
    starts_file().write_text(text)
    with pytest.raises(RuntimeError):
        run_guarded(fail, at(1000.0))
    assert starts_file().read_text().split() == ["[", "1000.0", "]"]


@pytest.mark.parametrize("service", [None, "0", "application.com.apple.Terminal"])
def test_in_a_terminal_nothing_is_counted(service: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if service is not None:
        monkeypatch.setenv("XPC_SERVICE_NAME", service)
    for _ in range(2 * STARTS):
        with pytest.raises(RuntimeError):
            run_guarded(fail)
    assert not starts_file().exists()


@pytest.mark.usefixtures("under_launchd")
def test_wrong_settings_exit_2_until_the_loop_is_broken_with_0(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECTUNE__SEED", "-1")
    codes = []
    for _ in range(STARTS + 1):
        monkeypatch.setattr(sys, "argv", ["sectune", "run"])
        with pytest.raises(SystemExit) as end:
            cli.main()
        codes.append(int(end.value.code or 0))
    assert codes == [2] * STARTS + [0]
    assert "stays down" in capsys.readouterr().err
