"""A job's status is told from the files its child leaves, whatever state they are in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jobs.fs import files
from jobs.providers.mlx.provider import Mlx
from jobs.providers.provider import Handle

KEY = "k" * 64


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = files.private_folder(tmp_path / "work" / "train_1")
    request = {
        "key": KEY,
        "module": "jobs.mlx.training.train",
        "payload": {"metrics": str(tmp_path / "metrics.jsonl")},
        "log": str(tmp_path / "run.log"),
        "facts": {"run": "r1", "step": "train_1"},
    }
    files.write_json(folder / "request.json", request)
    return folder


def lines(path: Path, *rows: Any) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def receipt(work: Path, status: str, key: str = KEY, **more: Any) -> None:
    files.write_json(work / "receipt.json", {"key": key, "status": status, **more})


def test_a_handle_is_read_back_as_it_was_saved_also_after_its_folder_moved(tmp_path: Path) -> None:
    handle = Handle("mlx", KEY, tmp_path / "work" / "train_1").save()
    assert Handle.load(handle.work) == handle
    (tmp_path / "work").rename(tmp_path / "moved")
    moved = Handle.load(tmp_path / "moved" / "train_1")
    assert moved == Handle("mlx", KEY, tmp_path / "moved" / "train_1")
    assert Handle.load(tmp_path / "elsewhere") is None


def test_a_job_that_nobody_works_on_is_queued(work: Path) -> None:
    assert Mlx().status(Handle("mlx", KEY, work)).status == "queued"
    assert Mlx().status(Handle("mlx", KEY, work.with_name("never"))).status == "queued"


def test_other_work_in_the_same_folder_is_not_taken_for_the_job(work: Path) -> None:
    receipt(work, "done", key="o" * 64)
    assert Mlx().status(Handle("mlx", KEY, work)).status == "queued"
    assert Mlx().status(Handle("mlx", "o" * 64, work)).status == "queued"


def test_a_living_child_validates_its_files_until_its_first_iteration(work: Path) -> None:
    handle = Handle("mlx", KEY, work)
    with files.FileLock(work / "child.lock", "pid 4711"):
        assert Mlx().status(handle).status == "validating_files"
        lines(work / "progress.jsonl", {"phase": "x"}, {"iteration": 3, "iterations": 12, "eta_seconds": 4.5})
        status = Mlx().status(handle)
    assert (status.status, status.progress, status.eta_seconds) == ("running", 0.25, 4.5)
    assert Mlx().status(handle).eta_seconds is None  # its child is gone


def test_a_job_that_nobody_works_on_says_why(work: Path) -> None:
    dead = Mlx().status(Handle("mlx", KEY, work)).stalled
    assert dead is not None
    assert (dead.code, dead.reason) == (
        "bug",
        "jobs.mlx.training.train ended without a receipt. Its last words: none",
    )
    never = Mlx().status(Handle("mlx", KEY, work.with_name("never"))).stalled
    assert never is not None
    assert never.message == "Its folder does not hold its request. Start it again."


@pytest.mark.slow
def test_the_newest_numbers_are_those_of_the_last_reports_however_many_there_are(work: Path) -> None:
    rows = [{"iteration": n, "iterations": 50_000, "train_loss": 1.0 / (n + 1)} for n in range(50_000)]
    lines(work / "progress.jsonl", {"valid_loss": 9.0}, *rows, {"valid_loss": 2.0}, {"iteration": 50_000})
    with files.FileLock(work / "child.lock", "pid 4711"):
        status = Mlx().status(Handle("mlx", KEY, work))
    assert status.newest == {
        "iteration": 50_000,
        "iterations": 50_000,
        "train_loss": 1.0 / 50_000,
        "valid_loss": 2.0,
    }
    assert (status.metrics, status.events) == ({}, ())


def test_a_failure_keeps_its_kind_its_remedy_and_its_traceback(work: Path) -> None:
    error = {"kind": "bug", "message": "KeyError: 'x'", "remedy": "", "traceback": "line 1"}
    receipt(work, "failed", error=error)
    failure = Mlx().status(Handle("mlx", KEY, work)).error
    assert failure is not None
    assert (failure.reason, failure.code, failure.remedy, failure.traceback) == (
        "KeyError: 'x'",
        "bug",
        "",
        "line 1",
    )


def test_a_done_job_has_succeeded_even_if_somebody_wanted_to_cancel_it(work: Path) -> None:
    receipt(work, "done", result={})
    handle = Handle("mlx", KEY, work, cancelled_at="2026-11-21T10:00:00.000Z").save()
    assert Mlx().status(handle).status == "succeeded"
    assert Mlx().status(handle).progress == 1.0


def test_a_cancelled_job_is_queued_again_once_it_is_asked_for_again(work: Path) -> None:
    handle = Handle("mlx", KEY, work, cancelled_at="2026-11-21T10:00:00.000Z").save()
    assert Mlx().status(handle).status == "cancelled"
    assert Mlx().status(Handle("mlx", KEY, work).save()).status == "queued"


def test_a_failed_job_says_why(work: Path) -> None:
    error = {"kind": "operator", "message": "No room.", "remedy": "Make some.", "traceback": None}
    receipt(work, "failed", error=error)
    status = Mlx().status(Handle("mlx", KEY, work))
    assert status.status == "failed"
    assert status.to_json()["error"] == {"message": "No room. Make some.", "code": "operator", "param": None}


def test_metrics_and_events_are_points_and_sentences_of_this_job_only(work: Path, tmp_path: Path) -> None:
    lines(
        tmp_path / "metrics.jsonl",
        {"time": 0.0, "iteration": 3, "train_loss": 2.5, "learning_rate": 1e-3, "tokens_per_second": None},
        {"time": 1.5, "iteration": 3, "resumed": True},
        {"time": 2.0, "iteration": 6, "valid_loss": 2.0},
    )
    line = {"timestamp": "2026-11-21T10:00:00.000Z", "level": "info", "run": "r1"}
    lines(
        tmp_path / "run.log",
        {**line, "step": "train_1", "event": "training begins", "start": 0},
        {**line, "step": "parse", "event": "parsed"},
        {"step": "train_1", "run": "r1"},
    )
    status = Mlx().status(Handle("mlx", KEY, work), history=True).to_json()
    assert status["metrics"] == {
        "train_loss": ({"step": 3, "value": 2.5, "timestamp": "1970-01-01T00:00:00.000Z"},),
        "learning_rate": ({"step": 3, "value": 1e-3, "timestamp": "1970-01-01T00:00:00.000Z"},),
        "valid_loss": ({"step": 6, "value": 2.0, "timestamp": "1970-01-01T00:00:02.000Z"},),
    }
    assert status["events"] == (
        {
            "message": "training begins",
            "level": "info",
            "created_at": "2026-11-21T10:00:00.000Z",
            "data": {"start": 0},
        },
    )
