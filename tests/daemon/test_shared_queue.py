"""The queue on Redis and PostgreSQL, on real servers started here; skipped where there is none.

Two machines are two daemons, each with a state folder of its own, with one queue and one models folder.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from config import settings as settings_module
from config.errors import SettingsError
from config.load import load
from config.settings import Settings
from daemon.doctor import running
from jobs import queue as queue_module
from jobs.errors import OperatorError
from jobs.queue import Queue, Server
from jobs.runs.store import Run, RunStore

PASSWORD = "correct-horse"
STORAGES = ("redis", "postgresql")
PATIENCE = 60.0
Good = Callable[..., str]


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


def test_a_message_is_seen_by_every_machine_and_is_json_without_code(address: Address) -> None:
    here, there = (Queue(Path(os.devnull), settings=address.settings) for _ in range(2))
    assert here.ring("run-1")
    assert not there.ring("run-1")
    assert there.ring("run-2")
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


def test_each_message_is_driven_by_one_of_two_machines_once(address: Address, tmp_path: Path) -> None:
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
            assert queue.ring(run)
        eventually(lambda: record.exists() and len(record.read_text().split()) >= len(wanted))
    time.sleep(1)  # one that is driven twice would come now
    for consumer in consumers:
        consumer.terminate()
        consumer.wait(timeout=PATIENCE)
    assert sorted(record.read_text().split()) == sorted(wanted)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_server_that_does_not_answer_is_named_without_its_password(storage: str) -> None:
    needs(storage)
    scheme = "redis" if storage == "redis" else "postgresql"
    url = f"{scheme}://user:{PASSWORD}@127.0.0.1:{free_port()}/db?application_name={PASSWORD}"
    if storage == "redis":
        url = url.partition("?")[0].replace("/db", "/3")
    queue = Queue(Path(os.devnull), settings=Address(storage, url).settings)
    for use in (queue.pending, lambda: queue.ring("run-1")):
        with pytest.raises(OperatorError) as caught:
            use()
        assert "127.0.0.1" in caught.value.message
        assert PASSWORD not in str(caught.value)
        assert caught.value.remedy


@pytest.mark.parametrize("storage", STORAGES)
def test_an_address_that_is_none_is_refused_without_being_repeated(storage: str) -> None:
    needs(storage)
    url = f"redis://:{PASSWORD}@host:port/0" if storage == "redis" else f"postgresql://a:{PASSWORD}@[::1"
    with pytest.raises(OperatorError) as caught:
        Queue(Path(os.devnull), settings=Address(storage, url).settings)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("storage", STORAGES)
def test_a_missing_client_is_named_with_the_fix(
    storage: str, monkeypatch: pytest.MonkeyPatch, settings_with: Callable[[dict[str, str]], Settings]
) -> None:
    monkeypatch.setattr(queue_module, "find_spec", lambda name: None)
    changed = settings_with({"queue.storage": storage})
    with pytest.raises(OperatorError, match="is not installed") as caught:
        Queue(Path(os.devnull), settings=changed.queue)
    assert caught.value.remedy == f"Run: pip install 'sectune[{storage}]'"
    check = running.shared_queue(type("L", (), {"settings": changed})(), Path(os.devnull))
    assert not check.passed
    assert check.fix == caught.value.remedy


@pytest.mark.parametrize(
    ("storage", "url", "words"),
    [
        ("sqlite", f"redis://:{PASSWORD}@h/0", "needs queue.storage"),
        ("redis", f"postgresql://u:{PASSWORD}@h/d", "must begin with redis://"),
        ("postgresql", f"host=h password={PASSWORD}", "must begin with postgresql://"),
        ("oracle", "null", "queue.storage"),
    ],
)
def test_an_address_of_another_storage_is_refused_without_being_repeated(
    storage: str, url: str, words: str
) -> None:
    environ = {"SECTUNE__QUEUE__STORAGE": storage, "SECTUNE__QUEUE__URL": url}
    with pytest.raises(SettingsError, match=words) as caught:
        load(environ=environ)
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (None, "redis at its client's default address"),
        (f"redis://:{PASSWORD}@host:6380/2", "redis://host:6380/2"),
        (f"rediss://user:{PASSWORD}@host/0?password={PASSWORD}", "rediss://host/0"),
    ],
)
def test_an_address_is_shown_without_user_password_and_options(
    settings: Settings, url: str | None, shown: str
) -> None:
    secret = SecretStr(url) if url else None
    server = Server(settings.queue.model_copy(update={"storage": "redis", "url": secret}))
    assert server.address == shown


def test_a_run_keeps_neither_the_storage_nor_the_address(
    settings_with: Callable[[dict[str, str]], Settings], make_run: Callable[..., Run]
) -> None:
    url = f"redis://:{PASSWORD}@host/0"
    run = make_run(settings_with({"queue.storage": "redis", "queue.url": url}))
    for file in run.folder.root.rglob("*"):
        assert file.is_dir() or PASSWORD not in file.read_text(errors="replace")
    assert run.settings().queue.storage == "sqlite"


class Machine:
    """A daemon's home: state and inbox of its own, queue and models shared."""

    def __init__(self, home: Path, models: Path, address: Address) -> None:
        self.home, self.state, self.inbox = home, home / "state", home / "inbox"
        home.mkdir()
        values = {
            "paths": {"inbox": str(self.inbox), "models_dir": str(models), "state_dir": str(self.state)},
            "inbox": {
                "stable_seconds": 0.2,
                "quiet_seconds": 0.3,
                "scan_seconds": 1,
                "gather_while_training": False,
            },
            "queue": {"storage": address.storage, "url": address.url, "reconcile_seconds": 1},
            "base_model": {"source": None},
        }
        config = home / "config.yaml"
        config.write_text(yaml.safe_dump(values))
        self.environment = {**os.environ, "HOME": str(home), "SECTUNE_CONFIG": str(config)}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [sys.executable, "-P", "-m", "daemon", "run"]
        with (self.home / "output").open("wb") as output:
            self.process = subprocess.Popen(words, env=self.environment, stdout=output, stderr=output)

    def sectune(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "daemon", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def machines(tmp_path: Path, address: Address) -> Iterator[tuple[Machine, Machine]]:
    both = (
        Machine(tmp_path / "a", tmp_path / "models", address),
        Machine(tmp_path / "b", tmp_path / "models", address),
    )
    yield both
    for machine in both:
        machine.kill()


def parses(run: Run) -> int:
    events = [json.loads(line) for line in run.folder.events.read_text().splitlines()]
    return sum(event["event"] == "step_started" and event["step"] == "parse" for event in events)


@pytest.mark.slow
def test_two_machines_share_the_runs_and_each_is_driven_once(
    machines: tuple[Machine, Machine], tmp_path: Path, good: Good
) -> None:
    store = RunStore(tmp_path / "models")

    def ended(count: int) -> bool:
        runs = store.list()[0]
        return len(runs) == count and all(run.manifest.status == "needs_attention" for run in runs)

    for machine in machines:
        machine.start()
        eventually(lambda machine=machine: machine.sectune("status").returncode == 0)  # type: ignore[misc]
    for number in range(4):
        for name, machine in zip("ab", machines, strict=True):
            machine.inbox.mkdir(exist_ok=True)  # the daemon holds its lock before it makes its inbox
            (machine.inbox / f"{number}.json").write_text(good(f"{name}{number}"))
        count = 2 * (number + 1)
        eventually(lambda count=count: ended(count))  # type: ignore[misc]
    assert [parses(run) for run in store.list()[0]] == [1] * 8

    # A machine that dies loses nothing that was queued: the other one drives it.
    first, second = machines
    first.kill()
    report = tmp_path / "last.json"
    report.write_text(good("last"))
    assert first.sectune("submit", str(report)).returncode == 0
    eventually(lambda: ended(9))
    assert second.sectune("queue").returncode == 0
    nothing_repeats_the_password(tmp_path)


def nothing_repeats_the_password(folder: Path) -> None:
    looked_at = 0
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "config.yaml":
            looked_at += 1
            assert PASSWORD.encode() not in file.read_bytes(), file
    assert looked_at > 20


def test_the_clients_are_no_part_of_what_is_always_installed() -> None:
    names = set(queue_module.CLIENTS.values())
    assert names == {"redis", "psycopg"}
    for storage, client in queue_module.CLIENTS.items():
        there = importlib.util.find_spec(client) is not None
        assert queue_module.missing_client(storage) == (None if there else client)
    assert queue_module.missing_client("sqlite") is None
