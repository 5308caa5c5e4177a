from __future__ import annotations

import json
import plistlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog

from config.settings import Settings
from daemon import cli
from daemon.inbox.intake import Intake, IntakeDependencies
from jobs.fs.files import FileLock, private_folder
from jobs.queue import Queue
from jobs.runs.manifest import Progress, StepError
from jobs.runs.store import Run, RunStore

ESCAPE = "\x1b"


@dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Sectune = Callable[..., Answer]
MakeRun = Callable[..., Run]


@pytest.fixture
def home(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert settings.paths.state_dir is not None
    for name in ("inbox", "models_dir", "state_dir"):
        monkeypatch.setenv(f"SECTUNE__PATHS__{name.upper()}", str(getattr(settings.paths, name)))
    return settings.paths.state_dir.parent


def created(home: Path) -> list[Path]:
    """What is there now, besides the cache, which may be deleted at any time."""
    return [path for path in home.iterdir() if path.name != "xdg_cache_home"]


@pytest.fixture
def sectune(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Sectune:
    """The console script, arguments in, exit code and both streams out."""

    def call(*words: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["sectune", *map(str, words)])
        structlog.reset_defaults()
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        captured = capsys.readouterr()
        return Answer(code if isinstance(code, int) else 0, captured.out, captured.err)

    return call


@pytest.fixture
def daemon(settings: Settings) -> Iterator[None]:
    """Somebody holds the daemon's lock."""
    state = private_folder(settings.paths.state_dir or Path())
    with FileLock(state / "daemon.lock", "pid 4711 sectune 0.1.0"):
        yield


@pytest.fixture
def failed_run(make_run: MakeRun) -> Run:
    run = make_run()
    step = run.manifest.step("parse")
    step.status = "failed"
    step.error = StepError(kind="operator", message="The disk [/] is full.", remedy="Make room.")
    run.manifest.status = "needs_attention"
    run.manifest.status_reason = "parse: The disk [/] is full. Make room."
    run.save()
    return run


# looking


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
def test_looking_creates_nothing(sectune: Sectune, home: Path, words: list[str]) -> None:
    answer = sectune(*words)
    assert answer.code in (0, 1, 3)
    assert created(home) == []


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


def test_the_queue_tells_which_runs_are_rung_for(
    sectune: Sectune, make_run: MakeRun, settings: Settings
) -> None:
    run = make_run()
    Queue(private_folder(settings.paths.state_dir or Path()) / "queue.db").ring(run.run_id)
    shown = sectune("queue", "--json").json
    assert [item["run_id"] for item in shown["runs"]] == [run.run_id]
    assert shown["messages"] == [run.run_id]
    assert run.run_id in sectune("queue").out


# runs


def test_a_failed_run_shows_what_failed_the_remedy_and_the_way_back(
    sectune: Sectune, failed_run: Run
) -> None:
    answer = sectune("runs", "show", failed_run.run_id)
    assert answer.code == 0
    for words in (
        "needs_attention",
        "The disk [/] is full. Make room.",
        "sectune runs retry",
        "sectune logs",
    ):
        assert words in answer.out
    assert "sectune runs retry" in sectune("status").out


def test_a_run_is_listed_and_shown_by_the_end_of_its_id(sectune: Sectune, make_run: MakeRun) -> None:
    run = make_run()
    assert run.run_id in sectune("runs", "list").out
    assert sectune("runs", "show", run.run_id[-6:], "--json").json["run_id"] == run.run_id


@pytest.mark.parametrize(
    "words", [["runs", "show"], ["runs", "retry"], ["runs", "validate"], ["logs"]], ids=" ".join
)
def test_an_unknown_run_exits_4_and_says_how_to_list_them(sectune: Sectune, words: list[str]) -> None:
    answer = sectune(*words, "nobody")
    assert (answer.code, answer.out) == (4, "")
    assert "nobody" in answer.err
    assert "sectune runs" in answer.err


def test_a_retried_run_is_queued_and_rung_for(sectune: Sectune, failed_run: Run, store: RunStore) -> None:
    answer = sectune("runs", "retry", failed_run.run_id)
    assert answer.code == 0
    assert "goes on with parse" in answer.out
    assert "not running" in answer.err
    assert store.open(failed_run.run_id).manifest.status == "queued"
    assert sectune("queue", "--json").json["messages"] == [failed_run.run_id]


def test_a_run_that_needs_no_retry_is_left_alone(sectune: Sectune, make_run: MakeRun) -> None:
    answer = sectune("runs", "retry", make_run().run_id)
    assert answer.code == 1
    assert "nothing to retry" in answer.err


def test_validation_finds_an_output_that_was_changed(sectune: Sectune, make_run: MakeRun) -> None:
    run = make_run()
    assert sectune("runs", "validate", run.run_id).code == 0
    step = run.manifest.step("parse")
    step.outputs = [{"path": "./findings/findings.jsonl", "sha256": "0" * 64, "bytes": 1}]  # type: ignore[list-item]
    run.save()
    answer = sectune("runs", "validate", run.run_id)
    assert answer.code == 1
    assert "FAIL" in answer.out
    assert not sectune("runs", "validate", run.run_id, "--json").json["checks"][0]["passed"]


def test_a_run_whose_manifest_is_broken_is_named_and_hides_no_other(
    sectune: Sectune, make_run: MakeRun
) -> None:
    good, bad = make_run(), make_run(delivery="d2")
    bad.folder.manifest.write_text("{")
    answer = sectune("runs")
    assert good.run_id in answer.out
    assert bad.run_id in answer.err


def test_the_log_of_a_run_is_readable_or_json_and_ends_with_its_verdict(
    sectune: Sectune, failed_run: Run, settings: Settings
) -> None:
    logs = private_folder((settings.paths.state_dir or Path()) / "logs" / "runs")
    line = {
        "timestamp": "2026-01-02T03:04:05Z",
        "level": "error",
        "event": "step failed",
        "error": f"a {ESCAPE} b",
    }
    (logs / f"{failed_run.run_id}.log").write_text(json.dumps(line) + "\n")
    plain = sectune("logs", failed_run.run_id)
    assert plain.out.startswith("2026-01-02 03:04:05 error   step failed  error=")
    assert ESCAPE not in plain.out
    assert sectune("logs", failed_run.run_id, "--json").json == line
    followed = sectune("logs", failed_run.run_id, "-f")
    assert followed.code == 5
    assert "needs_attention" in followed.err


# models and settings


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


# delivering


def test_a_submitted_report_becomes_a_run_that_waits_for_the_daemon(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str], store: RunStore
) -> None:
    (tmp_path / "a.json").write_text(good())
    answer = sectune("submit", tmp_path / "a.json")
    (run,) = store.list()[0]
    assert answer.code == 0
    assert f"a.json: in run {run.run_id}" in answer.out
    assert "The daemon is not running" in answer.err
    assert f"sectune logs {run.run_id} -f" in answer.err


def test_what_was_seen_before_is_taken_only_by_force(
    sectune: Sectune, daemon: None, tmp_path: Path, good: Callable[..., str], store: RunStore
) -> None:
    (tmp_path / "a.json").write_text(good())
    assert "not running" not in sectune("submit", tmp_path / "a.json").err
    for _ in range(3):
        again = sectune("submit", tmp_path / "a.json")
        assert again.code == 1
        assert "same content as a.json, in run" in again.out
        assert "--force" in again.err
    assert len(store.list()[0]) == 1
    forced = sectune("submit", "--force", "--json", tmp_path / "a.json").json
    assert forced["run_id"] in store.ids()
    assert [file["state"] for file in forced["files"]] == ["queued"]


def test_a_submitted_delivery_can_ask_for_a_fresh_stage_1_without_changing_the_settings(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str], store: RunStore
) -> None:
    (tmp_path / "a.json").write_text(good())
    fresh = sectune("submit", "--fresh-stage1", "--json", tmp_path / "a.json").json
    usual = sectune("submit", "--force", "--json", tmp_path / "a.json").json
    assert store.open(fresh["run_id"]).settings().training.reuse_stage1 is False
    assert store.open(usual["run_id"]).settings().training.reuse_stage1 is True


def test_submitting_what_is_no_report_says_so_without_speaking_of_force(
    sectune: Sectune, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text("<html></html>")
    answer = sectune("submit", tmp_path / "page.html")
    assert answer.code == 1
    assert "refused" in answer.out
    assert "--force" not in answer.err


def test_a_submitted_folder_leaves_running_downloads_out(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str]
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    (folder / "a.json").write_text(good())
    (folder / "b.json.part").write_text("{")
    answer = sectune("submit", folder)
    assert answer.code == 0
    assert "left out" in answer.err
    assert "b.json.part" not in answer.out


def test_a_link_that_a_person_names_is_followed(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str], store: RunStore
) -> None:
    (tmp_path / "real.json").write_text(good())
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    assert sectune("submit", tmp_path / "link.json").code == 0
    assert [item.name for item in store.list()[0][0].manifest.inputs] == ["real.json"]


def test_submitting_nothing_exits_4_and_creates_nothing(sectune: Sectune, home: Path) -> None:
    answer = sectune("submit", home / "none.json")
    assert answer.code == 4
    assert "none.json" in answer.err
    assert created(home) == []


def test_parse_prints_the_shape_that_later_work_relies_on(
    sectune: Sectune, tmp_path: Path, good: Callable[..., str]
) -> None:
    (tmp_path / "a.json").write_text(good())
    (tmp_path / "b.html").write_text("<html></html>")
    shown = sectune("parse", tmp_path, "--json").json
    assert {"files", "distinct_findings", "findings"} <= set(shown)
    for file in shown["files"]:
        assert {"path", "sha256", "verdict", "tool", "format", "raw_findings", "warnings", "reason"} <= set(
            file
        )
    assert [file["verdict"] for file in shown["files"]] == ["parsed", "refused"]
    assert shown["distinct_findings"] == len(shown["findings"]) == 1


def test_a_full_disk_is_a_sentence_and_no_traceback(
    sectune: Sectune, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/some/file")

    monkeypatch.setattr("daemon.cli.present.status", full)
    answer = sectune("status")
    assert (answer.code, answer.out) == (1, "")
    assert "No space left on device: /some/file" in answer.err
    assert "Traceback" not in answer.err
