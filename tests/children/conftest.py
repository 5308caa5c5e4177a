"""Tasks of a real child (tiny_child.py), whose executions are counted in a file."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jobs.children import follow, life, parent
from jobs.children.task import Task
from jobs.errors import Stopped


@pytest.fixture(autouse=True)
def no_child_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Also keeps every Popen: a daemon leaves children running on purpose, which Python warns about."""
    started: list[subprocess.Popen[bytes]] = []

    class Kept(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            started.append(self)

    monkeypatch.setattr(parent.subprocess, "Popen", Kept)
    yield
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Task]:
    """Builds tasks of the tiny child."""
    root = Path(parent.__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent}{os.pathsep}{root}")
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(parent, "ASK_SECONDS", 0.02)

    def build(
        what: str = "answer",
        lock: Path | None = None,
        preload: Path | None = None,
        module: str = "tiny_child",
        **more: Any,
    ) -> Task:
        return Task(
            module=module,
            work=tmp_path / "work",
            payload={"what": what, "counter": str(tmp_path / "counter"), **more},
            log=tmp_path / "logs" / "run.log",
            facts={"run": "r1", "step": "s1"},
            device_lock=lock,
            preload=preload,
        )

    return build


@pytest.fixture
def drive() -> Callable[[Task], dict[str, Any]]:
    """Drives a task without a look at its progress."""
    return lambda task: parent.drive(task, lambda facts: None, lambda: False)


@pytest.fixture
def executions() -> Callable[[Task], int]:
    """How often a task's child was at work."""

    def count(task: Task) -> int:
        path = Path(task.payload["counter"])
        return len(path.read_text().splitlines()) if path.exists() else 0

    return count


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Waits for a condition."""

    def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "it did not happen"
            time.sleep(0.01)

    return wait


@pytest.fixture
def next_daemon(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From the call on this process is another daemon, which has no handle of what was started before."""
    return lambda: monkeypatch.setattr(life, "_own", {})


@pytest.fixture
def left_running(next_daemon: Callable[[], None]) -> Callable[[Task], None]:
    """Starts a child as a daemon does that stops right after; what follows is the next daemon."""

    def leave(task: Task) -> None:
        with pytest.raises(Stopped):
            parent.drive(task, lambda facts: None, lambda: life.living(task.work) is not None)
        next_daemon()

    return leave
