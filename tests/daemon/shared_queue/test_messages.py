"""Messages on a server: seen by all machines, data without code, driven once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from jobs.queue import Queue

PATIENCE = 60.0
Eventually = Callable[[Callable[[], bool]], None]


@pytest.mark.slow
def test_a_message_is_seen_by_every_machine_and_is_json_without_code(address: Any) -> None:
    here, there = (Queue(Path(os.devnull), settings=address.settings) for _ in range(2))
    assert here.enqueue("run-1")
    assert not there.enqueue("run-1")
    assert there.enqueue("run-2")
    assert here.pending() == ["run-1", "run-2"]
    for data in here._huey.storage.enqueued_items():
        message = json.loads(bytes(data))
        assert message["name"] == "jobs.tasks.advance"
        assert message["args"][0].startswith("run-")
    here.close()
    there.close()


CONSUMER = """
import os, sys
from pathlib import Path
from config.load import load
from jobs.queue import Queue

def driven(run_id):
    with open(sys.argv[1], "a") as record:
        record.write(run_id + "\\n")

Queue(Path(os.devnull), driven, load().settings.queue).consumer(2).run()
"""


@pytest.mark.slow
def test_each_message_is_driven_by_one_of_two_machines_once(
    address: Any, tmp_path: Path, eventually: Eventually
) -> None:
    record = tmp_path / "driven"
    variables = {"SECTUNE__QUEUE__STORAGE": address.storage, "SECTUNE__QUEUE__URL": address.url}
    consumers = [
        subprocess.Popen(
            [sys.executable, "-c", CONSUMER, str(record)],
            env={**os.environ, **variables},
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    wanted = [f"run-{number}" for number in range(50)]
    with closing(Queue(Path(os.devnull), settings=address.settings)) as queue:
        for run in wanted:
            assert queue.enqueue(run)
        eventually(lambda: record.exists() and len(record.read_text().split()) >= len(wanted))
    time.sleep(1)  # one that is driven twice would come now
    for consumer in consumers:
        consumer.terminate()
        consumer.wait(timeout=PATIENCE)
    assert sorted(record.read_text().split()) == sorted(wanted)
