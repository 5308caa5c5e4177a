"""The group `sectune runs`, and the logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from jobs.fs.files import private_folder
from jobs.runs.store import Run, RunStore

ESCAPE = "\x1b"
Sectune = Callable[..., Any]
MakeRun = Callable[..., Run]


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


def test_a_retried_run_is_queued_and_enqueued(sectune: Sectune, failed_run: Run, store: RunStore) -> None:
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


@pytest.mark.slow
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
