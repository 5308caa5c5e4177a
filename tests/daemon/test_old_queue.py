"""The queue of a daemon of commit c1fdbbe: its messages are understood, and dropped where they are stale."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from jobs import tasks
from jobs.host import Host
from jobs.queue import Queue
from jobs.runs.store import Run, RunStore

DUMP = Path(__file__).parents[1] / "data" / "c1fdbbe" / "queue.sql"
RUNS = ["webauthn-security-sequential-20261129_101500", "webauthn-security-sequential-20261128_090000"]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "queue.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(DUMP.read_text())
    return path


def consume(queue: Queue) -> None:
    """Execute what is in the queue, as a worker does."""
    while (task := queue._huey.dequeue()) is not None:
        queue._huey.execute(task)


def test_the_messages_are_read_in_their_order_and_none_is_doubled(old: Path) -> None:
    with closing(Queue(old)) as queue:
        assert queue.pending() == RUNS
        assert not queue.enqueue(RUNS[0])
        assert queue.enqueue("another")
        assert queue.pending() == [*RUNS, "another"]


def test_a_message_drives_the_run_that_it_names(old: Path) -> None:
    driven: list[str] = []
    with closing(Queue(old, driven.append)) as queue:
        consume(queue)
        assert driven == RUNS
        assert queue.pending() == []


def test_messages_for_runs_that_are_gone_are_dropped_with_a_line_in_the_log(
    old: Path, store: RunStore, host: Host
) -> None:
    enqueued: list[str] = []
    structlog.reset_defaults()
    with (
        closing(Queue(old, tasks.advance_with(store, host, enqueued.append))) as queue,
        capture_logs() as lines,
    ):
        consume(queue)
        assert queue.pending() == []
    assert [(line["event"], line["log_level"]) for line in lines] == [("run cannot be driven", "error")] * 2
    assert [line["error"].count(run_id) > 0 for line, run_id in zip(lines, RUNS, strict=True)] == [True, True]
    assert enqueued == []


@pytest.fixture
def run_of_a_message(make_run: Callable[..., Run], store: RunStore) -> Run:
    """A run with the id that the first message names."""
    made = make_run()
    text = made.folder.manifest.read_text().replace(made.run_id, RUNS[0])
    shutil.move(made.folder.root, store.root / RUNS[0])
    run_manifest = store.root / RUNS[0] / made.folder.manifest.name
    run_manifest.write_text(text)
    return store.open(RUNS[0])


@pytest.fixture
def consumer(old: Path, store: RunStore, host: Host) -> Iterator[Queue]:
    queue = Queue(old, lambda run_id: tasks.advance_with(store, host, queue.enqueue)(run_id))
    workers = queue.consumer(2)
    workers.start()
    yield queue
    workers.stop(graceful=True)
    queue.close()


def test_a_daemon_with_an_old_queue_drives_what_is_still_there(
    run_of_a_message: Run, store: RunStore, consumer: Queue
) -> None:
    deadline = time.monotonic() + 30
    while store.open(RUNS[0]).manifest.status == "queued" or consumer.pending():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    manifest = store.open(RUNS[0]).manifest
    assert manifest.step("parse").attempts == 1
