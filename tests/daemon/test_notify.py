"""Telling a person: through arguments, with a limit, and never at the queue's expense."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from config.settings import Notify
from daemon.notify import Notifier, message_of
from jobs.runs.manifest import StepError
from jobs.runs.store import Run

HOSTILE = 'x" with title "owned" \\ $(touch /nope) `id`\n-e do shell script'


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    run = make_run()
    run.manifest.step("parse").error = StepError(kind="bug", message="it broke", traceback="secret lines")
    run.manifest.status = "needs_attention"
    run.manifest.status_reason = HOSTILE
    return run


def settings(*command: str, desktop: bool = True, seconds: float = 10.0) -> Notify:
    return Notify(desktop=desktop, command=command or None, timeout_seconds=seconds)


@pytest.fixture
def osascript(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in that writes down its arguments."""
    tools, seen = tmp_path / "tools", tmp_path / "seen.json"
    tools.mkdir()
    script = f"#!{sys.executable} -ISE\nimport json, sys\njson.dump(sys.argv[1:], open({str(seen)!r}, 'w'))\n"
    (tools / "osascript").write_text(script)
    (tools / "osascript").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    return seen


def test_hostile_words_reach_osascript_as_an_argument_and_never_as_script(run: Run, osascript: Path) -> None:
    Notifier(settings(), "darwin").tell(message_of(run))
    words = json.loads(osascript.read_text())
    script = [words[at + 1] for at in range(0, 6, 2)]
    assert words[0:6:2] == ["-e"] * 3
    assert script == [
        "on run argv",
        "display notification (item 2 of argv) with title (item 1 of argv)",
        "end run",
    ]
    assert words[6:] == ["A run needs you", f"{run.run_id} {HOSTILE}"]


@pytest.mark.parametrize(("desktop", "platform"), [(False, "darwin"), (True, "linux")])
def test_without_the_setting_or_macos_there_is_no_notification(
    run: Run, osascript: Path, desktop: bool, platform: str
) -> None:
    Notifier(settings(desktop=desktop), platform).tell(message_of(run))
    assert not osascript.exists()


def test_a_users_program_gets_one_line_of_json(run: Run, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    copy = f"import sys; open({str(seen)!r}, 'w').write(sys.stdin.read())"
    Notifier(settings(sys.executable, "-ISEc", copy), "linux").tell(message_of(run))
    text = seen.read_text()
    message = json.loads(text)
    assert text.count("\n") == 1
    assert (message["run_id"], message["status"]) == (run.run_id, "needs_attention")
    assert message["error"]["message"] == "it broke"
    assert message["status_reason"] == HOSTILE
    assert "secret lines" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        ("/nowhere/hook",),
        (sys.executable, "-ISEc", "import sys; print('my words'); sys.exit(3)"),
        (sys.executable, "-ISEc", "import time; time.sleep(60)"),
    ],
    ids=["missing", "fails", "hangs"],
)
def test_a_users_program_that_fails_is_logged_and_nothing_else(run: Run, command: tuple[str, ...]) -> None:
    began = time.monotonic()
    structlog.reset_defaults()
    with capture_logs() as lines:
        Notifier(settings(*command, seconds=0.5), "linux").tell(message_of(run))
    (line,) = lines
    assert (line["log_level"], line["event"]) == ("warning", "notify.command failed")
    assert line["error"]
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("status", ["cancelled", "paused"])
def test_what_a_person_did_themselves_is_not_told(
    run: Run, osascript: Path, status: str, tmp_path: Path
) -> None:
    run.manifest.status = status  # type: ignore[assignment]
    mark = tmp_path / "mark"
    command = (sys.executable, "-ISEc", f"open({str(mark)!r}, 'w')")
    Notifier(settings(*command), "darwin").tell(message_of(run))
    assert not osascript.exists()
    assert not mark.exists()


@pytest.mark.slow
def test_the_queue_does_not_wait_for_a_slow_program(run: Run, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    slow = f"import time; time.sleep(0.4); open({str(mark)!r}, 'w')"
    began = time.monotonic()
    Notifier(settings(sys.executable, "-ISEc", slow), "linux").tell_in_background(run)
    assert time.monotonic() - began < 0.3
    while not mark.exists():
        assert time.monotonic() - began < 10
        time.sleep(0.02)
