"""The Huey queue; the only module that imports huey.

The manifest is the truth, Huey only wakes: a message carries a run id and nothing else. Huey
deletes a message before it runs the task, so a lost message is normal, and `reconcile` sends another.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey
from huey.consumer import Consumer
from huey.registry import Message
from huey.serializer import Serializer

from jobs.errors import OperatorError

if TYPE_CHECKING:
    from config.settings import Queue as Settings

ADVANCE = "advance"
NAME = "sectune"
CONNECT_SECONDS = 5
CLIENTS = {"redis": "redis", "postgresql": "psycopg"}


class JsonSerializer(Serializer):  # type: ignore[misc]
    """Messages as JSON: a queue file can then carry data only, never code (Huey's default is pickle)."""

    def _serialize(self, data: Message) -> bytes:
        return json.dumps(data._asdict(), separators=(",", ":")).encode("utf-8")

    def _deserialize(self, data: bytes) -> Message:
        fields = json.loads(bytes(data))
        return Message(**{**fields, "args": tuple(fields["args"] or ())})


class StoppableConsumer(Consumer):  # type: ignore[misc]
    """Huey's consumer, but SIGINT stops as cleanly as SIGTERM does."""

    def __init__(self, huey: Huey, **options: Any) -> None:
        super().__init__(huey, **options)
        self._signal_actions[self._interrupt_sig] = (False, True)


def _on_this_machine(path: Path) -> Huey:
    return SqliteHuey(name=NAME, filename=str(path), results=False, serializer=JsonSerializer(), fsync=True)


class Server:
    """A queue that several machines share; what it says of itself never holds a password.

    Args:
        settings: Which storage, and where.
    """

    def __init__(self, settings: Settings) -> None:
        self.storage = settings.storage
        self.url = settings.url.get_secret_value() if settings.url else None
        self._has_tables = self.storage != "postgresql"

    @property
    def address(self) -> str:
        """Scheme, host and database; without user, password and options."""
        if self.url is None:
            return f"{self.storage} at its client's default address"
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path}"

    def huey(self) -> Huey:
        """The Huey on that server; it is not asked for anything yet.

        Raises:
            OperatorError: The client is not installed, or the address is none.
        """
        if missing := missing_client(self.storage):
            raise OperatorError(
                f"queue.storage is {self.storage}: {missing} is not installed.", remedy_of(self.storage)
            )
        plain = {"name": NAME, "results": False, "serializer": JsonSerializer()}
        try:
            if self.storage == "redis":
                return RedisHuey(url=_impatient(self.url), **plain)
            return PostgresHuey(
                dsn=_checked(self.url), create_tables=False, connect_timeout=CONNECT_SECONDS, **plain
            )
        except ValueError:  # its words may hold the address
            raise OperatorError(
                f"queue.url is no address of {self.storage}.", "Correct it: sectune config show"
            ) from None

    def has_tables(self, huey: Huey) -> bool:
        """Whether what Huey keeps its messages in is there; only PostgreSQL needs something made for it."""
        if not self._has_tables:
            (row,) = huey.storage.sql("select to_regclass(%s)", (huey.storage.table_task,), results=True)
            self._has_tables = row[0] is not None
        return self._has_tables

    def make_tables(self, huey: Huey) -> None:
        """Make them with the first message: a server that is down at the start keeps nobody from work."""
        if not self.has_tables(huey):
            huey.storage.initialize_schema()
            self._has_tables = True

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Put what the client says into words of ours.

        Raises:
            OperatorError: The server does not answer.
        """
        try:
            yield
        except _errors(self.storage) as error:
            said = " ".join(str(error).split())[:300]
            raise OperatorError(
                f"The queue ({self.address}) does not answer: {said}",
                "Start that server, or correct queue.url; nothing is lost meanwhile.",
            ) from None


def _impatient(url: str | None) -> str:
    """The address, with a limit to how long a connection may take."""
    url = url or "redis://localhost:6379/0"
    if url.startswith("unix:") or "socket_connect_timeout" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}socket_connect_timeout={CONNECT_SECONDS}"


def _checked(url: str | None) -> str:
    """The address, if it can be one; the client's own words about it would repeat it."""
    psycopg: Any = import_module("psycopg")
    try:
        psycopg.conninfo.conninfo_to_dict(url or "")
    except psycopg.ProgrammingError:
        raise ValueError("no address") from None
    return url or ""


def missing_client(storage: str) -> str | None:
    """The package that this storage needs and that is not installed."""
    client = CLIENTS.get(storage)
    return client if client and find_spec(client) is None else None


def remedy_of(storage: str) -> str:
    """How to install what a storage needs."""
    return f"Run: pip install 'sectune[{storage}]'"


def _errors(storage: str) -> tuple[type[Exception], ...]:
    client: Any = import_module(CLIENTS[storage])
    return (client.RedisError if storage == "redis" else client.Error, OSError)


class Queue:
    """The wake-up messages of this machine, or of all that share one server.

    Args:
        path: The SQLite file.
        advance: What to do with a run id; a process that only enqueues passes nothing.
        settings: Which storage, and where; this machine's SQLite file where it is None.

    Raises:
        OperatorError: The storage's client is not installed, or its address is none.
    """

    def __init__(
        self,
        path: Path,
        advance: Callable[[str], None] | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._server = None if settings is None or settings.storage == "sqlite" else Server(settings)
        self._huey = self._server.huey() if self._server else _on_this_machine(path)
        self._task = self._huey.task(name=ADVANCE)(_named(advance or _enqueue_only))
        self._ringing = threading.Lock()

    def enqueue(self, run_id: str) -> bool:
        """Ask for the next step of a run; False if it was asked for already.

        Raises:
            OperatorError: The server does not answer.
        """
        with self._ringing, self._answering():
            if self._server:
                self._server.make_tables(self._huey)
            if run_id in self._pending():
                return False
            self._task(run_id)
            return True

    def pending(self) -> list[str]:
        """The run ids that wait in the queue, in order.

        Raises:
            OperatorError: The server does not answer.
        """
        with self._answering():
            there = self._server is None or self._server.has_tables(self._huey)
            return self._pending() if there else []

    def _pending(self) -> list[str]:
        return [str(task.args[0]) for task in self._huey.pending()]

    def _answering(self) -> AbstractContextManager[None]:
        return self._server.answering() if self._server else nullcontext()

    def consumer(self, workers: int) -> StoppableConsumer:
        """A consumer with worker threads; never processes, since fork breaks Metal."""
        if self._server:
            # A server that is down now keeps nobody from work: the tables come with the first message then.
            with suppress(OperatorError), self._answering():
                self._server.make_tables(self._huey)
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


def _enqueue_only(run_id: str) -> None:
    raise RuntimeError(f"this process enqueues runs but does not drive them ({run_id})")


def _named(advance: Callable[[str], None]) -> Callable[[str], None]:
    def drive(run_id: str) -> None:
        advance(run_id)

    # Huey knows a task by its module and name; a message for another name would be taken and lost.
    drive.__module__ = "jobs.tasks"
    return drive
