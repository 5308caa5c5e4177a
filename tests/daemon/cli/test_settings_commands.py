"""Models, settings, the doctor and the agent."""

from __future__ import annotations

import plistlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings

Sectune = Callable[..., Any]


def test_an_unknown_model_exits_4_and_one_outside_the_registry_is_unknown(sectune: Sectune) -> None:
    for name in ("nobody", "../.."):
        answer = sectune("models", "verify", name)
        assert answer.code == 4
        assert name in answer.err


def test_the_settings_are_shown_with_their_origin(sectune: Sectune) -> None:
    shown = sectune("config", "show", "--json").json
    assert shown["origins"]["paths.inbox"] == "SECTUNE__PATHS__INBOX"
    assert shown["origins"]["seed"] == "default"
    assert sectune("config", "check").code == 0


@pytest.mark.parametrize("words", [["config", "check"], ["status", "--json"], ["run"]], ids=" ".join)
def test_wrong_settings_are_told_all_together_on_stderr_and_exit_2(
    sectune: Sectune, tmp_path: Path, words: list[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: -1\nstage1:\n  iterz: 5\n")
    answer = sectune("--config", file, *words)
    assert (answer.code, answer.out) == (2, "")
    assert "stage1.iters" in answer.err
    assert "seed" in answer.err
    assert "Traceback" not in answer.err


def test_a_wrong_word_on_the_command_line_exits_2(sectune: Sectune) -> None:
    assert sectune("frobnicate").code == 2
    assert sectune("runs", "show").code == 2


def test_the_doctor_says_for_each_fault_why_and_how_to_mend_it(sectune: Sectune) -> None:
    answer = sectune("doctor")
    assert answer.code == 1  # there is no daemon and no base model here
    assert "fix: sectune run" in answer.out
    for check in sectune("doctor", "--json").json["checks"]:
        assert check["passed"] or (check["why"] and check["fix"])


def test_the_doctor_finds_an_inbox_that_is_a_file(sectune: Sectune, settings: Settings) -> None:
    settings.paths.inbox.write_text("")
    (check,) = [check for check in sectune("doctor", "--json").json["checks"] if check["id"] == "inbox"]
    assert not check["passed"]
    assert "not a folder" in check["seen"]


def test_the_agents_list_starts_this_installation_with_this_settings_file(
    sectune: Sectune, tmp_path: Path, home: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 7\n")
    answer = sectune("--config", file, "agent")
    assert answer.code == 0
    agent = plistlib.loads(answer.out.encode())
    assert agent["ProgramArguments"] == [str(Path(sys.executable).absolute().with_name("sectune")), "run"]
    assert agent["EnvironmentVariables"]["SECTUNE_CONFIG"] == str(file)
    assert agent["StandardErrorPath"].startswith(str(home))
    assert "SECTUNE__PATHS__INBOX" in answer.err
