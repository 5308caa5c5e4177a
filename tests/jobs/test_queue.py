"""The queue: messages are data, sent once, and survive the process."""

from __future__ import annotations

import json
import pickletools
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from jobs.queue import Queue


def rows(path: Path) -> list[bytes]:
    connection = sqlite3.connect(path)
    try:
        return [bytes(row[0]) for row in connection.execute("select data from task order by id")]
    finally:
        connection.close()


def test_a_message_is_json_and_carries_a_run_id_and_nothing_else(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
    queue.enqueue("run-1")
    (data,) = rows(tmp_path / "queue.db")
    message = json.loads(data)
    assert (message["name"], message["args"], message["kwargs"]) == ("jobs.tasks.advance", ["run-1"], {})
    with pytest.raises(ValueError):
        list(pickletools.genops(data))
    queue.close()


def test_a_run_is_enqueued_once_until_somebody_answers(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
    assert [queue.enqueue("a"), queue.enqueue("a"), queue.enqueue("b"), queue.enqueue("a")] == [
        True,
        False,
        True,
        False,
    ]
    assert queue.pending() == ["a", "b"]
    queue.close()


def test_threads_that_ring_together_leave_one_message(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
    enqueued: list[bool] = []

    def enqueue() -> None:
        enqueued.append(queue.enqueue("a"))
        queue.close()

    threads = [threading.Thread(target=enqueue) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(enqueued) == 1
    assert queue.pending() == ["a"]
    queue.close()


def test_a_message_survives_closing_and_reaches_another_process_own_task(tmp_path: Path) -> None:
    first = Queue(tmp_path / "queue.db")
    first.enqueue("a")
    first.close()

    def advance(run_id: str) -> None:
        done.append(run_id)

    done: list[str] = []
    advance.__module__ = "jobs.tasks"
    second = Queue(tmp_path / "queue.db", advance)
    assert second.pending() == ["a"]
    task = second._huey.dequeue()
    second._huey.execute(task)
    assert done == ["a"]
    assert second.pending() == []
    second.close()


@pytest.mark.slow
def test_a_consumer_takes_a_message_within_a_second_and_stops_when_told(tmp_path: Path) -> None:
    done: list[tuple[str, str]] = []
    came = threading.Event()

    def advance(run_id: str) -> None:
        done.append((run_id, threading.current_thread().name))
        queue.close()
        came.set()

    advance.__module__ = "jobs.tasks"
    queue = Queue(tmp_path / "queue.db", advance)
    consumer = queue.consumer(workers=2)
    assert (consumer.workers, consumer.worker_type) == (2, "thread")
    consumer.start()
    began = time.monotonic()
    queue.enqueue("a")
    assert came.wait(5)
    assert time.monotonic() - began < 2
    consumer.stop(graceful=True)
    assert done[0][0] == "a"
    queue.close()


def test_a_process_that_only_rings_refuses_to_drive(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.db")
    queue.enqueue("a")
    task = queue._huey.dequeue()
    with pytest.raises(RuntimeError, match="does not drive"):
        task.execute()
    queue.close()
