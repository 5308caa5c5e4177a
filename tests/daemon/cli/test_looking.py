"""Commands that only look: status, inbox, queue, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from daemon.inbox.intake import Intake, IntakeDependencies
from jobs.fs.files import private_folder
from jobs.queue import Queue
from jobs.runs.manifest import Progress
from jobs.runs.store import Run

ESCAPE = "\x1b"
Sectune = Callable[..., Any]
MakeRun = Callable[..., Run]
Created = Callable[[], list[Path]]


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        ["inbox"],
        ["queue"],
        ["runs"],
        ["models", "list"],
        ["config", "show"],
        ["doctor"],
        ["logs"],
    ],
    ids=" ".join,
)
def test_looking_creates_nothing(sectune: Sectune, created: Created, words: list[str]) -> None:
    answer = sectune(*words)
    assert answer.code in (0, 1, 3)
    assert created() == []


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["status"], "daemon"),
        (["inbox"], "files"),
        (["queue"], "runs"),
        (["runs"], "runs"),
        (["runs", "list"], "runs"),
        (["models", "list"], "models"),
        (["config", "show"], "settings"),
        (["doctor"], "checks"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_what_reads_prints_one_json_document(sectune: Sectune, words: list[str], key: str) -> None:
    assert key in sectune(*words, "--json").json


def test_nothing_printed_into_a_pipe_carries_an_escape_code(
    sectune: Sectune, failed_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    for words in (
        ["status"],
        ["queue"],
        ["runs"],
        ["runs", "show", failed_run.run_id],
        ["doctor"],
        ["config", "show"],
    ):
        answer = sectune(*words)
        assert answer.out + answer.err
        assert ESCAPE not in answer.out + answer.err


def test_status_without_a_daemon_says_how_to_start_it_and_exits_3(sectune: Sectune) -> None:
    answer = sectune("status")
    assert answer.code == 3
    assert "sectune run" in answer.out


def test_status_tells_of_the_daemon_the_inbox_and_the_runs(
    sectune: Sectune,
    daemon: None,
    dependencies: IntakeDependencies,
    inbox: Path,
    make_run: MakeRun,
    good: Callable[..., str],
) -> None:
    (inbox / "a.json").write_text(good())
    Intake(dependencies).receive(inbox / "a.json", inbox)
    run = make_run()
    run.manifest.status = "in_progress"
    run.manifest.progress = Progress(step="parse", iteration=5, iterations=10, train_loss=1.5, eta_seconds=90)
    run.save()
    answer = sectune("status")
    assert answer.code == 0
    for words in (
        "pid 4711",
        "1 accepted",
        run.run_id,
        "step 1 of 11",
        "50 %",
        "5/10",
        "loss 1.500",
        "2 min left",
    ):
        assert words in answer.out
    shown = sectune("status", "--json").json
    assert shown["daemon"] == "pid 4711 sectune 0.1.0"
    assert shown["inbox"]["files"] == {"accepted": 1}
    assert shown["queue"][0]["progress"]["iteration"] == 5


def test_the_figures_of_the_last_step_are_not_shown_for_the_next(sectune: Sectune, make_run: MakeRun) -> None:
    run = make_run()
    run.manifest.step("parse").status = "succeeded"
    run.manifest.status = "in_progress"
    run.manifest.progress = Progress(step="parse", iteration=9, iterations=10)
    run.save()
    (summary,) = sectune("status", "--json").json["queue"]
    assert (summary["step"], summary["progress"]["iteration"]) == ("dataset_1", None)
    assert "9/10" not in sectune("status").out


def test_the_inbox_names_each_file_its_state_and_the_reason(
    sectune: Sectune, dependencies: IntakeDependencies, inbox: Path
) -> None:
    (inbox / "page.html").write_text("<!doctype html><html></html>")
    Intake(dependencies).receive(inbox / "page.html", inbox)
    (line,) = [line for line in sectune("inbox").out.splitlines() if "page.html" in line]
    assert "refused" in line
    assert "HTML" in line
    (file,) = sectune("inbox", "--json").json["files"]
    assert (file["state"], Path(file["path"]).name) == ("refused", "page.html")
    assert file["reason"]


def test_a_hostile_name_does_not_steer_the_terminal(
    sectune: Sectune, dependencies: IntakeDependencies, inbox: Path
) -> None:
    name = f"[red]{ESCAPE}]0;owned\x07[nope.json"
    (inbox / name).write_text("<html></html>")
    Intake(dependencies).receive(inbox / name, inbox)
    answer = sectune("inbox")
    assert ESCAPE not in answer.out
    assert "[red]\\x1b]0;owned\\x07[nope.json" in answer.out


def test_the_queue_tells_which_runs_have_a_message(
    sectune: Sectune, make_run: MakeRun, settings: Settings
) -> None:
    run = make_run()
    Queue(private_folder(settings.paths.state_dir or Path()) / "queue.db").enqueue(run.run_id)
    shown = sectune("queue", "--json").json
    assert [item["run_id"] for item in shown["runs"]] == [run.run_id]
    assert shown["messages"] == [run.run_id]
    assert run.run_id in sectune("queue").out


def test_a_full_disk_is_a_sentence_and_no_traceback(
    sectune: Sectune, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/some/file")

    monkeypatch.setattr("daemon.cli.quick.status.show_status", full)
    answer = sectune("status")
    assert (answer.code, answer.out) == (1, "")
    assert "No space left on device: /some/file" in answer.err
    assert "Traceback" not in answer.err
