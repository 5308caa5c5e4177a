"""The address of a shared queue: refused, shown and kept without ever repeating its password."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from config.errors import SettingsError
from config.load import load
from config.settings import Settings
from daemon.doctor import running
from jobs import queue as queue_module
from jobs.errors import OperatorError
from jobs.queue import Queue, Server
from jobs.runs.store import Run

PASSWORD = "correct-horse"
STORAGES = ("redis", "postgresql")
AddressOf = Callable[[str, str], Any]


@pytest.mark.parametrize("storage", STORAGES)
def test_a_server_that_does_not_answer_is_named_without_its_password(
    storage: str, address_of: AddressOf, closed_port: int
) -> None:
    scheme = "redis" if storage == "redis" else "postgresql"
    url = f"{scheme}://user:{PASSWORD}@127.0.0.1:{closed_port}/db?application_name={PASSWORD}"
    if storage == "redis":
        url = url.partition("?")[0].replace("/db", "/3")
    queue = Queue(Path(os.devnull), settings=address_of(storage, url).settings)
    for use in (queue.pending, lambda: queue.enqueue("run-1")):
        with pytest.raises(OperatorError) as caught:
            use()
        assert "127.0.0.1" in caught.value.message
        assert PASSWORD not in str(caught.value)
        assert caught.value.remedy


@pytest.mark.parametrize("storage", STORAGES)
def test_an_address_that_is_none_is_refused_without_being_repeated(
    storage: str, address_of: AddressOf
) -> None:
    url = f"redis://:{PASSWORD}@host:port/0" if storage == "redis" else f"postgresql://a:{PASSWORD}@[::1"
    with pytest.raises(OperatorError) as caught:
        Queue(Path(os.devnull), settings=address_of(storage, url).settings)
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


def test_the_clients_are_no_part_of_what_is_always_installed() -> None:
    names = set(queue_module.CLIENTS.values())
    assert names == {"redis", "psycopg"}
    for storage, client in queue_module.CLIENTS.items():
        there = importlib.util.find_spec(client) is not None
        assert queue_module.missing_client(storage) == (None if there else client)
    assert queue_module.missing_client("sqlite") is None
