"""install, uninstall, start, stop, restart, and the agent's line in status."""

from __future__ import annotations

import os
import plistlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import Settings
from daemon.service.manager import stop_trainers
from jobs.fs import files
from jobs.runs.manifest import Progress
from jobs.runs.store import Run

HOLDS_A_LOCK = """
import sys, time
from pathlib import Path
from jobs.fs import files
lock = files.FileLock(Path(sys.argv[1]), "pid " + str(__import__("os").getpid()))
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


Sectune = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 501)


def on(monkeypatch: pytest.MonkeyPatch, platform: str, path: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("PATH", path)


@pytest.mark.parametrize(
    ("platform", "first"),
    [("darwin", "launchctl enable gui/501/io.sectune.agent"), ("linux", "systemctl --user daemon-reload")],
)
def test_a_dry_run_prints_the_file_and_the_commands_and_changes_nothing(
    sectune: Sectune,
    monkeypatch: pytest.MonkeyPatch,
    isolated_home: Path,
    platform: str,
    first: str,
) -> None:
    on(monkeypatch, platform, "/nowhere")
    code, out, err = sectune("install", "--dry-run")
    assert code == 0
    assert first in err
    if platform == "darwin":
        assert plistlib.loads(out.encode())["Label"] == "io.sectune.agent"
    else:
        assert "[Service]" in out
    assert [path.name for path in isolated_home.iterdir()] in ([], ["xdg_cache_home"])  # of the settings


@pytest.mark.parametrize("verb", ["install", "uninstall", "start", "stop", "restart"])
@pytest.mark.parametrize("platform", ["darwin", "linux"])
def test_root_gets_a_sentence_and_exit_code_1(
    sectune: Sectune, monkeypatch: pytest.MonkeyPatch, platform: str, verb: str
) -> None:
    on(monkeypatch, platform, "/nowhere")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    code, out, err = sectune(verb)
    assert (code, out) == (1, "")
    assert "without sudo" in err


def test_status_speaks_of_the_agent_only_where_there_is_one_and_never_fails_because_of_it(
    sectune: Sectune, monkeypatch: pytest.MonkeyPatch, isolated_home: Path
) -> None:
    on(monkeypatch, "darwin", "/nowhere")
    assert "agent" not in sectune("status")[1]
    plist = isolated_home / "Library" / "LaunchAgents" / "io.sectune.agent.plist"
    plist.parent.mkdir(parents=True)
    plist.write_text("")
    code, out, _ = sectune("status")
    assert code == 3
    assert "agent    unknown: There is no program launchctl" in out


def test_uninstalling_ends_a_trainer_that_outlived_its_daemon(
    settings: Settings, make_run: Callable[..., Run]
) -> None:
    run = make_run()
    run.manifest.progress = Progress(step="train_1")
    run.save()
    work = files.private_folder(run.folder.work("train_1"))
    words = [sys.executable, "-P", "-c", HOLDS_A_LOCK, str(work / "child.lock")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        assert stop_trainers(settings.paths.models_dir, print) == [f"train_1 of {run.run_id}"]
        assert child.wait(timeout=10) == -signal.SIGTERM
    assert stop_trainers(settings.paths.models_dir, print) == []
