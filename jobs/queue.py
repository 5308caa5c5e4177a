"""The Huey queue; the only module that imports huey.

The manifest is the truth, Huey is the doorbell: a message carries a run id and nothing else. Huey
deletes a message before it runs the task, so a lost message is normal, and `reconcile` rings again.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey import SqliteHuey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer

ADVANCE = "advance"


class JsonSerializer(Serializer):  # type: ignore[misc]
    """Messages as JSON: a queue file can then carry data only, never code (Huey's default is pickle)."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data._asdict(), separators=(",", ":")).encode("utf-8")

    def _deserialize(self, data: bytes) -> Message:
        fields = json.loads(bytes(data))
        return Message(**{**fields, "args": tuple(fields["args"] or ())})


class StoppableConsumer(Consumer):  # type: ignore[misc]
    """Huey's consumer, but SIGINT stops as cleanly as SIGTERM does."""

    def __init__(self, huey: SqliteHuey, **options: Any) -> None:
        super().__init__(huey, **options)
        self._signal_actions[self._interrupt_sig] = (False, True)


class Queue:
    """The doorbells of this machine.

    Args:
        path: The SQLite file.
        advance: What to do with a run id; a process that only rings passes nothing.
    """

    def __init__(self, path: Path, advance: Callable[[str], None] | None = None) -> None:
        self._huey = SqliteHuey(
            name="sectune", filename=str(path), results=False, serializer=JsonSerializer(), fsync=True
        )
        self._task = self._huey.task(name=ADVANCE)(advance or _ring_only)
        self._ringing = threading.Lock()

    def ring(self, run_id: str) -> bool:
        """Ask for the next step of a run; False if it was asked for already."""
        with self._ringing:
            if run_id in self.pending():
                return False
            self._task(run_id)
            return True

    def pending(self) -> list[str]:
        """The run ids that wait in the queue, in order."""
        return [str(task.args[0]) for task in self._huey.pending()]

    def consumer(self, workers: int) -> StoppableConsumer:
        """A consumer with worker threads; never processes, since fork breaks Metal."""
        # Huey's own poll backs off to 10 s; within 1 s costs 0.2 % of a core when idle.
        return StoppableConsumer(
            self._huey,
            workers=workers,
            periodic=False,
            initial_delay=0.2,
            max_delay=1.0,
            graceful_signal="TERM",
            shutdown_timeout=3,
        )

    def close(self) -> None:
        """Close the database connection of this thread."""
        self._huey.storage.close()


def _ring_only(run_id: str) -> None:
    raise RuntimeError(f"this process rings for runs but does not drive them ({run_id})")


# Both stand-in and task must have one name in the queue, whatever module they were written in.
_ring_only.__module__ = "jobs.tasks"
