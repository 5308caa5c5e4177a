"""`status` past typer says the same as the ordinary way, and steps aside wherever it is not sure."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config import load as load_module
from config.settings import Settings
from daemon.cli.context import CliContext
from daemon.cli.quick import quick
from daemon.inbox.intake import Intake, IntakeDependencies
from jobs.fs.files import FileLock, private_folder
from jobs.runs.manifest import Progress
from jobs.runs.store import Run

Sectune = Callable[..., tuple[int, str, str]]


def ordinary(sectune: Sectune, monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str, str]:
    with monkeypatch.context() as patched:
        patched.setattr(quick, "recall", lambda: None)
        return sectune(*words)


@pytest.mark.parametrize("json_too", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("scene", ["nothing", "something"])
def test_both_ways_say_the_same(
    sectune: Sectune,
    monkeypatch: pytest.MonkeyPatch,
    make_run: Callable[..., Run],
    dependencies: IntakeDependencies,
    inbox: Path,
    good: Callable[..., str],
    json_too: bool,
    scene: str,
) -> None:
    if scene == "something":
        (inbox / "a.json").write_text(good())
        Intake(dependencies).receive(inbox / "a.json", inbox)
        run = make_run()
        run.manifest.status = "in_progress"
        run.manifest.progress = Progress(step="parse", iteration=5, iterations=10, train_loss=1.5)
        run.save()
        broken = make_run(delivery="d2")
        broken.folder.manifest.write_text("{")
        attention = make_run(delivery="d3")
        attention.manifest.status = "needs_attention"
        attention.manifest.status_reason = "parse: \x1b[31mThe disk is full."
        attention.save()
    words = ("status", "--json") if json_too else ("status",)
    first = ordinary(sectune, monkeypatch, *words)
    assert quick.recall() is not None
    loads: list[object] = []
    monkeypatch.setattr(load_module, "load", lambda path: loads.append(path))
    assert sectune(*words) == first
    assert loads == []
    if scene == "something":
        assert ("unreadable run" in first[2]) is not json_too
        assert "\x1b" not in first[1]


def test_a_running_daemon_is_seen_on_both_ways(
    sectune: Sectune, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    state = private_folder(settings.paths.state_dir or Path(os.devnull))
    with FileLock(state / "daemon.lock", "pid 4711 sectune 0.1.0"):
        first = ordinary(sectune, monkeypatch, "status")
        assert first[0] == 0
        assert sectune("status") == first
    code, out, _ = sectune("status", "--json")
    assert (code, json.loads(out)["daemon"]) == (3, None)


@pytest.mark.parametrize("words", [["status", "--help"], ["--config", "x", "status"], ["queue"], []], ids=str)
def test_every_other_call_takes_the_ordinary_way(words: list[str]) -> None:
    assert quick.answer(words) is None


def test_completion_takes_the_ordinary_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SECTUNE_COMPLETE", "complete_zsh")
    assert quick.answer(["status"]) is None


def test_wrong_settings_are_told_after_a_snapshot_was_made(
    sectune: Sectune, monkeypatch: pytest.MonkeyPatch
) -> None:
    sectune("status")
    assert quick.recall() is not None
    monkeypatch.setenv("SECTUNE__SEED", "-1")
    code, out, err = sectune("status")
    assert (code, out) == (2, "")
    assert "seed" in err


def test_a_start_is_made_anew_only_by_the_console_script_and_only_once(
    sectune: Sectune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(quick.AGAIN, "")  # so that what the call sets is taken back
    monkeypatch.delenv(quick.AGAIN)
    begun: list[list[str]] = []

    def load() -> object:
        return CliContext().loaded

    monkeypatch.setattr(os, "execv", lambda program, words: begun.append(words))
    quick.re_exec(load)  # pytest is no `sectune run`
    assert begun == []
    monkeypatch.setattr(sys, "orig_argv", ["python", "-P", "-m", "daemon", "run"])
    quick.re_exec(load)
    assert [words[1:] for words in begun] == [["-P", "-m", "daemon", "run"]]
    quick.re_exec(load)
    assert len(begun) == 1
    monkeypatch.delenv(quick.AGAIN)
    monkeypatch.setenv("SECTUNE__SEED", "-1")
    quick.re_exec(load)  # the ordinary way says what is wrong
    assert len(begun) == 1
