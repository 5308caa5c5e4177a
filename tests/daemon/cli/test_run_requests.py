"""pause, cancel, resume, retry --from and wait, as they are typed."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from daemon.cli import run_requests
from jobs.pipeline import chain, control
from jobs.pipeline.context import Host
from jobs.runs.store import Run, RunStore

Sectune = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_requests, "OBEYED_SECONDS", 0.3)
    monkeypatch.setattr(run_requests, "POLL_SECONDS", 0.02)


def set_status(run: Run, status: str, **steps: str) -> Run:
    with run.driving("test"):
        for name, state in steps.items():
            run.manifest.step(name).status = state  # type: ignore[assignment]
        run.manifest.status = status  # type: ignore[assignment]
        run.save()
    return run


@pytest.mark.parametrize(("verb", "status"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_run_that_nobody_drives_obeys_at_once(
    sectune: Sectune, make_run: Callable[..., Run], store: RunStore, verb: str, status: str
) -> None:
    run = make_run()
    code, out, err = sectune("runs", verb, run.run_id)
    assert code == 0
    assert f"is {status}" in out
    assert "sectune runs" in err
    assert store.open(run.run_id).manifest.status == status
    assert not run.folder.control.exists()


@pytest.mark.slow
def test_a_run_that_is_driven_is_asked_and_its_driver_obeys(
    sectune: Sectune, make_run: Callable[..., Run], host: Host
) -> None:
    run = make_run()
    with run.driving("a worker"):
        code, out, _ = sectune("runs", "pause", run.run_id)
        assert (code, control.asked(run.folder)) == (0, "pause")
        assert "once its checkpoint is saved" in out
        assert chain.advance(run, host) is chain.Outcome.ENDED
    assert run.manifest.status == "paused"


@pytest.mark.slow
def test_a_request_can_be_taken_back_before_it_is_obeyed(
    sectune: Sectune, make_run: Callable[..., Run]
) -> None:
    run = make_run()
    with run.driving("a worker"):
        sectune("runs", "cancel", run.run_id)
        code, out, _ = sectune("runs", "resume", run.run_id)
    assert code == 0
    assert "had not stopped yet" in out
    assert control.asked(run.folder) is None


def test_a_paused_run_is_resumed_and_enqueued(
    sectune: Sectune, make_run: Callable[..., Run], store: RunStore
) -> None:
    run = set_status(make_run(), "paused")
    assert sectune("runs", "resume", run.run_id)[0] == 0
    assert store.open(run.run_id).manifest.status == "queued"
    assert json.loads(sectune("queue", "--json")[1])["messages"] == [run.run_id]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "status"),
    [("pause", "completed"), ("pause", "needs_attention"), ("cancel", "completed"), ("resume", "failed")],
)
def test_what_makes_no_sense_is_refused_in_words(
    sectune: Sectune, make_run: Callable[..., Run], verb: str, status: str
) -> None:
    run = set_status(make_run(), status)
    code, out, err = sectune("runs", verb, run.run_id)
    assert (code, out) == (1, "")
    assert status in err
    assert not run.folder.control.exists()


def test_a_run_that_needs_attention_can_be_cancelled(
    sectune: Sectune, make_run: Callable[..., Run], store: RunStore
) -> None:
    run = set_status(make_run(), "needs_attention", parse="failed")
    assert sectune("runs", "cancel", run.run_id)[0] == 0
    assert store.open(run.run_id).manifest.status == "cancelled"


def test_a_dry_retry_names_the_steps_and_changes_nothing(
    sectune: Sectune, make_run: Callable[..., Run]
) -> None:
    run = set_status(make_run(), "needs_attention", parse="succeeded", dataset_1="failed")
    before = run.folder.manifest.read_bytes()
    code, out, _ = sectune("runs", "retry", run.run_id, "--dry-run")
    assert code == 0
    assert "would be done: dataset_1, train_1" in out
    assert "would be kept: parse" in out
    assert (
        "nothing but the reports" in sectune("runs", "retry", run.run_id, "--dry-run", "--from", "parse")[1]
    )
    assert run.folder.manifest.read_bytes() == before


def test_a_retry_from_a_step_goes_on_with_it(
    sectune: Sectune, make_run: Callable[..., Run], store: RunStore
) -> None:
    run = set_status(make_run(), "needs_attention", parse="succeeded", dataset_1="failed")
    code, out, _ = sectune("runs", "retry", run.run_id, "--from", "parse")
    assert code == 0
    assert "goes on with parse" in out
    assert store.open(run.run_id).manifest.step("parse").status == "pending"
    assert sectune("runs", "retry", run.run_id, "--from", "bake")[0] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "code"),
    [("completed", 0), ("failed", 1), ("cancelled", 1), ("needs_attention", 5), ("paused", 5)],
)
def test_waiting_ends_with_the_runs_own_exit_code(
    sectune: Sectune, make_run: Callable[..., Run], status: str, code: int
) -> None:
    run = make_run()

    def finish() -> None:
        time.sleep(0.1)
        set_status(run, status)

    thread = threading.Thread(target=finish)
    thread.start()
    answer = sectune("wait", run.run_id, "--timeout", "20")
    thread.join()
    assert answer[0] == code
    assert f"{run.run_id}: {status}" in answer[1]


def test_waiting_gives_up_with_75_and_an_unknown_run_is_4(
    sectune: Sectune, make_run: Callable[..., Run]
) -> None:
    code, _, err = sectune("wait", make_run().run_id, "--timeout", "0")
    assert code == 75
    assert "daemon is not running" in err
    for words in (["wait"], ["runs", "pause"], ["runs", "cancel"], ["runs", "resume"], ["runs", "retry"]):
        assert sectune(*words, "nobody")[0] == 4


@pytest.mark.parametrize(
    ("word", "number"), [("high", 10), ("7", 7), ("-7", -7), ("low", -10), ("NORMAL", 0)]
)
def test_a_priority_that_is_typed_is_in_the_manifest(
    sectune: Sectune, make_run: Callable[..., Run], store: RunStore, word: str, number: int
) -> None:
    run = make_run()
    code, out, _ = sectune("runs", "prioritise", run.run_id, word)
    assert (code, store.open(run.run_id).manifest.priority) == (0, number)
    assert f"has priority {number}" in out
    assert not run.folder.priority_request.exists()


@pytest.mark.parametrize("word", ["101", "urgent", "-101", "1.5"])
def test_a_priority_that_is_none_is_refused(
    sectune: Sectune, make_run: Callable[..., Run], store: RunStore, word: str
) -> None:
    run = make_run()
    assert sectune("runs", "prioritise", run.run_id, word)[0] == 2
    assert store.open(run.run_id).manifest.priority == 0


@pytest.mark.slow
def test_a_run_that_is_driven_gets_its_priority_from_its_driver(
    sectune: Sectune, make_run: Callable[..., Run]
) -> None:
    run = make_run()
    with run.driving("a worker"):
        code, out, _ = sectune("runs", "prioritise", run.run_id, "high")
        assert (code, control.asked_priority(run.folder)) == (0, 10)
        assert "once whoever drives it looks" in out
        assert control.take_priority(run)
    assert run.manifest.priority == 10


def test_a_run_at_its_end_has_nothing_to_prioritise(sectune: Sectune, make_run: Callable[..., Run]) -> None:
    run = set_status(make_run(), "completed")
    code, _, err = sectune("runs", "prioritise", run.run_id, "high")
    assert code == 1
    assert "no step left" in err


def test_the_queue_shows_the_urgent_run_first_and_its_priority(
    sectune: Sectune, make_run: Callable[..., Run]
) -> None:
    first, second = make_run(delivery="a"), make_run(delivery="b")
    sectune("runs", "prioritise", second.run_id, "high")
    _, out, _ = sectune_ok(sectune, "queue", "--json")
    rows = json.loads(out)["runs"]
    assert [(row["run_id"], row["priority"]) for row in rows] == [(second.run_id, 10), (first.run_id, 0)]
    _, out, _ = sectune_ok(sectune, "queue")
    assert "priority" in out
    _, out, _ = sectune_ok(sectune, "runs", "show", second.run_id)
    assert "priority 10" in out


def test_a_submitted_delivery_keeps_its_priority(
    sectune: Sectune, store: RunStore, tmp_path: Any, good: Callable[..., str]
) -> None:
    (tmp_path / "a.json").write_text(good())
    assert sectune("submit", str(tmp_path / "a.json"), "--priority", "low")[0] == 0
    (run,) = store.list()[0]
    assert run.manifest.priority == -10


def test_a_disk_below_its_reserve_is_told_by_status(
    sectune: Sectune, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run()
    assert json.loads(sectune("status", "--json")[1])["full_disks"] == []
    monkeypatch.setenv("SECTUNE__DISK__RESERVE_MB", "1000000")  # more than any disk of a test machine has
    assert json.loads(sectune("status", "--json")[1])["full_disks"]
    assert "too little room on the disk of" in sectune("status")[2]


def sectune_ok(sectune: Sectune, *words: str) -> tuple[int, str, str]:
    answer = sectune(*words)
    assert answer[0] == 0, answer
    return answer
