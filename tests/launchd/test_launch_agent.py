"""The LaunchAgent's life against a scripted launchctl; nobody can run launchd here."""

from __future__ import annotations

import plistlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from launchd.installer import LaunchAgent
from launchd.run_program import NoAnswer, ServiceError
from launchd.service import ServiceManager, Timeouts

if TYPE_CHECKING:
    from tests.launchd.conftest import Machine

VERBS = ("install", "uninstall", "start", "stop", "restart")


def agent_of(machine: Machine, uid: int = 501, **timeouts: float) -> LaunchAgent:
    manager = machine.manager()
    changed = ServiceManager(manager.daemon, replace(manager.timeouts, **timeouts), manager.say)  # type: ignore[arg-type]
    return LaunchAgent(changed, uid, machine.home / "LaunchAgents")


@pytest.fixture
def agent(machine: Machine) -> LaunchAgent:
    return agent_of(machine)


@pytest.mark.slow
def test_an_installation_enables_loads_and_waits_for_our_own_answer(
    machine: Machine, agent: LaunchAgent
) -> None:
    agent.install()
    assert plistlib.loads(agent.file.read_bytes())["ProgramArguments"] == ["/opt/sectune/bin/sectune", "run"]
    assert machine.calls[:4] == [
        "launchctl enable",
        "launchctl print",
        "plutil -lint",
        "launchctl bootstrap",
    ]
    assert "launchctl kickstart" not in machine.calls
    assert machine.said[-1] == "the daemon answers: pid 4242 sectune 0.1.0"
    assert agent.file.stat().st_mode & 0o777 == 0o644
    assert (machine.home / "state" / "logs").is_dir()
    assert list(agent.file.parent.iterdir()) == [agent.file]


@pytest.mark.slow
def test_a_running_agent_is_booted_out_and_is_gone_before_the_new_one_is_loaded(
    machine: Machine, agent: LaunchAgent
) -> None:
    machine.set(loaded=True, pid=7, drain=4)
    agent.install()
    calls = machine.calls
    looks = calls[calls.index("launchctl bootout") : calls.index("launchctl bootstrap")]
    assert looks.count("launchctl print") == 4
    assert machine.get("pid") == 4242


@pytest.mark.slow
def test_error_5_is_tried_again_until_it_passes(machine: Machine, agent: LaunchAgent) -> None:
    machine.set(answers={"bootstrap": [5, 5]})
    agent.install()
    assert machine.calls.count("launchctl bootstrap") == 3


@pytest.mark.slow
def test_error_5_for_ever_is_told_with_a_remedy(machine: Machine, agent: LaunchAgent) -> None:
    machine.set(answers={"bootstrap": [5] * 9}, said={"bootstrap": "Input/output error"})
    with pytest.raises(ServiceError, match="error 5: Input/output error") as caught:
        agent.install()
    assert "launchctl print gui/501/io.sectune.agent" in caught.value.remedy
    assert machine.calls.count("launchctl bootstrap") == 3


@pytest.mark.slow
def test_a_disabled_agent_is_enabled_first(machine: Machine, agent: LaunchAgent) -> None:
    machine.set(disabled=True)
    agent.install()
    assert not agent.state().disabled


@pytest.mark.slow
def test_119_against_our_enabling_names_the_place_to_allow_it(machine: Machine, agent: LaunchAgent) -> None:
    machine.set(answers={"bootstrap": [119] * 9})
    with pytest.raises(ServiceError) as caught:
        agent.install()
    assert "Login Items" in caught.value.remedy
    assert machine.calls.count("launchctl enable") >= 2


def test_a_session_without_a_screen_is_told_at_once(machine: Machine, agent: LaunchAgent) -> None:
    machine.set(answers={"bootstrap": [125]})
    with pytest.raises(ServiceError) as caught:
        agent.install()
    assert "ssh" in caught.value.remedy
    assert machine.calls.count("launchctl bootstrap") == 1


@pytest.mark.slow
def test_an_agent_that_does_not_run_by_itself_is_kicked(machine: Machine, agent: LaunchAgent) -> None:
    machine.set(starts=False)
    agent.install()
    assert "launchctl kickstart" in machine.calls


@pytest.mark.slow
def test_an_agent_that_ends_at_once_is_no_success(machine: Machine, agent: LaunchAgent) -> None:
    machine.set(starts=False, kicks=False)
    with pytest.raises(ServiceError, match="last exit 78: EX_CONFIG, but nobody answers") as caught:
        agent.install()
    assert "boot.log" in caught.value.remedy


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["pid 4242 sectune 0.0.9", "pid 4 sectune 0.1.0"])
def test_another_version_or_another_process_is_not_our_health(
    machine: Machine, agent: LaunchAgent, answer: str
) -> None:
    machine.set(starts=False, kicks=False)

    def start_as_another(text: str) -> None:
        machine.stranger = answer if text.startswith("written") else machine.stranger
        machine.set(kicks=True)

    manager = agent.manager
    agent.manager = ServiceManager(manager.daemon, manager.timeouts, start_as_another)
    with pytest.raises(ServiceError, match=f"who answers is '{answer}', not version 0.1.0"):
        agent.install()


@pytest.mark.slow
def test_a_daemon_in_a_terminal_is_named_before_anything_is_written(
    machine: Machine, agent: LaunchAgent
) -> None:
    machine.stranger = "pid 99 sectune 0.1.0"
    with pytest.raises(ServiceError, match="pid 99"):
        agent.install()
    assert not agent.file.exists()


@pytest.mark.slow
def test_an_agent_that_never_drains_is_an_error_and_nothing_is_loaded_over_it(machine: Machine) -> None:
    machine.set(loaded=True, pid=7, drain=100_000)
    with pytest.raises(ServiceError, match=r"still drains after 0.2 s \(pid 7\)"):
        agent_of(machine, drain=0.2).install()
    assert "launchctl bootstrap" not in machine.calls


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["enable", "print", "bootstrap"])
def test_a_launchctl_that_hangs_is_ended_and_named(machine: Machine, verb: str) -> None:
    machine.set(hang=[verb])
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=f"`launchctl {verb} .* did not answer within 0.5 s"):
        agent_of(machine, call=0.5).install()
    assert time.monotonic() - began < 10


@pytest.mark.slow
def test_a_bootout_that_hangs_does_not_matter_once_the_agent_is_gone(machine: Machine) -> None:
    machine.set(loaded=True, pid=7, hang=["bootout"])
    agent_of(machine, call=0.5).stop()
    assert not machine.get("loaded")


@pytest.mark.parametrize("verb", VERBS)
def test_root_is_refused_before_launchctl_is_asked_anything(machine: Machine, verb: str) -> None:
    with pytest.raises(ServiceError, match="not to root"):
        getattr(agent_of(machine, uid=0), verb)()
    assert machine.calls == []


@pytest.mark.slow
@pytest.mark.parametrize("code", [3, 5, 36, 113])
def test_a_bootout_that_answers_oddly_is_judged_by_what_is_there_afterwards(
    machine: Machine, agent: LaunchAgent, code: int
) -> None:
    machine.set(loaded=True, pid=7, answers={"bootout": [code], "print": [0, 113, 113]})
    agent.stop()
    assert machine.said == ["the agent is stopped"]


@pytest.mark.slow
def test_a_former_list_is_kept_when_it_differs_and_only_then(machine: Machine, agent: LaunchAgent) -> None:
    agent.file.parent.mkdir()
    agent.file.write_bytes(b"former")
    agent.install()
    agent.install()
    (backup,) = (machine.home / "state" / "backups").iterdir()
    assert backup.read_bytes() == b"former"


@pytest.mark.slow
def test_uninstalling_stops_removes_and_ends_a_surviving_trainer(
    machine: Machine, agent: LaunchAgent
) -> None:
    agent.install()
    machine.trainers = ["train_1 of r1"]
    agent.uninstall()
    assert not agent.file.exists()
    assert not machine.get("loaded")
    assert machine.said[-1] == "ended: train_1 of r1"
    assert agent.state().words == "not installed"
    agent.uninstall()  # twice does no harm


@pytest.mark.slow
def test_stop_and_start_and_restart_bring_back_the_same_agent(machine: Machine, agent: LaunchAgent) -> None:
    agent.install()
    agent.stop()
    assert agent.state().words == "stopped"
    agent.start()
    assert agent.state().pid == 4242
    machine.set(pid=9)
    agent.restart()
    assert agent.state().words == "running, pid 4242"


@pytest.mark.slow
def test_starting_a_running_agent_changes_nothing(machine: Machine, agent: LaunchAgent) -> None:
    agent.install()
    before = len(machine.calls)
    agent.start()
    assert set(machine.calls[before:]) <= {"launchctl enable", "launchctl print", "launchctl print-disabled"}


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_what_is_not_installed_cannot_be_started(agent: LaunchAgent, verb: str) -> None:
    with pytest.raises(ServiceError) as caught:
        getattr(agent, verb)()
    assert caught.value.remedy == "Run: sectune install"


def test_a_list_that_plutil_rejects_is_not_loaded(machine: Machine, agent: LaunchAgent) -> None:
    (machine.home / "tools" / "plutil").write_text("#!/bin/sh\necho bad key; exit 1\n")
    with pytest.raises(ServiceError, match="bad key"):
        agent.install()
    assert "launchctl bootstrap" not in machine.calls


def test_the_plan_names_every_step_and_does_nothing(machine: Machine, agent: LaunchAgent) -> None:
    words = [command.split()[1] for command in agent.plan()]
    assert words == ["enable", "bootout", "bootstrap", "kickstart"]
    assert machine.calls == []


def test_without_launchctl_the_way_to_run_in_the_foreground_is_told(
    machine: Machine, agent: LaunchAgent, without: Callable[[Machine, str], None]
) -> None:
    without(machine, "launchctl")
    with pytest.raises(ServiceError) as caught:
        agent.install()
    assert "sectune run" in caught.value.remedy


def test_a_faulty_list_is_refused_before_launchctl_is_asked(machine: Machine) -> None:
    manager = machine.manager()
    cellar = replace(manager.daemon, program=Path("/opt/homebrew/Cellar/sectune/1/bin/sectune"))
    with pytest.raises(ServiceError, match="Homebrew"):
        LaunchAgent(ServiceManager(cellar, Timeouts()), 501, machine.home).install()
    assert machine.calls == []
