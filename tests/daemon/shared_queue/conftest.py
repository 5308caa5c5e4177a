"""A Redis and a PostgreSQL server of our own, each with a password."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from config import settings as settings_module
from jobs import queue as queue_module
from jobs.errors import OperatorError
from jobs.queue import Queue

PASSWORD = "correct-horse"
STORAGES = ("redis", "postgresql")
PATIENCE = 60.0


@dataclass(frozen=True)
class Address:
    storage: str
    url: str

    @property
    def settings(self) -> settings_module.Queue:
        defaults = {"workers": 2, "reconcile_seconds": 60, "max_attempts": 3}
        return settings_module.Queue.model_validate({**defaults, "storage": self.storage, "url": self.url})


def needs(storage: str) -> None:
    if missing := queue_module.missing_client(storage):
        pytest.skip(f"the Python package {missing} is not installed")


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    # Debian keeps PostgreSQL's programs out of the PATH.
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which(name) or next((str(each / name) for each in debian if (each / name).exists()), None)
    if found is None:
        pytest.skip(f"the program {name} is not installed")
    return found


@contextmanager
def server_folder() -> Iterator[tuple[Path, dict[str, int]]]:
    """A folder with a short name (a socket lies in it), and its owner: PostgreSQL refuses root."""
    with tempfile.TemporaryDirectory(prefix="sq-") as name:
        owner: dict[str, int] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            owner = {"user": nobody.pw_uid, "group": nobody.pw_gid}
            os.chown(name, nobody.pw_uid, nobody.pw_gid)
        yield Path(name), owner


@contextmanager
def redis_server() -> Iterator[Address]:
    needs("redis")
    with server_folder() as (folder, owner):
        port = free_port()
        words = ["--port", str(port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", ""]
        with serving([program("redis-server"), *words, "--dir", str(folder)], owner):
            yield Address("redis", f"redis://:{PASSWORD}@127.0.0.1:{port}/0")


@contextmanager
def postgresql_server() -> Iterator[Address]:
    needs("postgresql")
    with server_folder() as (folder, owner):
        words = ["-D", str(folder / "data"), "-U", "sectune", "--auth", "scram-sha-256", "--no-sync"]
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        subprocess.run(
            [program("initdb"), *words, "--pwfile", str(secret)],
            check=True,
            capture_output=True,
            cwd=folder,
            **owner,  # type: ignore[call-overload]
        )
        settings = ["-c", "listen_addresses=", "-c", "fsync=off"]
        with serving([program("postgres"), "-D", str(folder / "data"), "-k", str(folder), *settings], owner):
            yield Address("postgresql", f"postgresql://sectune:{PASSWORD}@/postgres?host={folder}")


@contextmanager
def serving(words: list[str], owner: dict[str, int]) -> Iterator[None]:
    process = subprocess.Popen(
        words,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        **owner,  # type: ignore[call-overload]
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL waits for its clients after SIGTERM
        process.wait(timeout=PATIENCE)


SERVERS = {"redis": redis_server, "postgresql": postgresql_server}


@pytest.fixture(scope="module", params=STORAGES)
def address(request: pytest.FixtureRequest) -> Iterator[Address]:
    with SERVERS[request.param]() as made:
        eventually(lambda: answers(made))
        yield made


@pytest.fixture(autouse=True)
def empty(request: pytest.FixtureRequest) -> None:
    if "address" in request.fixturenames:
        address = request.getfixturevalue("address")
        queue = Queue(Path(os.devnull), settings=address.settings)
        if queue.pending():
            queue._huey.flush()
        queue.close()


def answers(address: Address) -> bool:
    try:
        with closing(Queue(Path(os.devnull), settings=address.settings)) as queue:
            queue.pending()
    except OperatorError:
        return False
    return True


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture(name="eventually")
def wait_for() -> Callable[[Callable[[], bool]], None]:
    return eventually


@pytest.fixture
def address_of() -> Callable[[str, str], Address]:
    """Makes an address of a storage whose client is installed."""

    def make(storage: str, url: str) -> Address:
        needs(storage)
        return Address(storage, url)

    return make


@pytest.fixture
def closed_port() -> int:
    """A port at which nobody answers."""
    return free_port()
