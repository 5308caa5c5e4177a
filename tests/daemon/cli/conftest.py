"""What the tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from jobs.fs.files import FileLock, private_folder
from jobs.runs.manifest import StepError
from jobs.runs.store import Run


@pytest.fixture
def home(settings: Settings) -> Path:
    assert settings.paths.state_dir is not None
    return settings.paths.state_dir.parent


@pytest.fixture
def created(home: Path) -> Callable[[], list[Path]]:
    """What is there now, besides the cache, which may be deleted at any time."""
    return lambda: [path for path in home.iterdir() if path.name != "xdg_cache_home"]


@pytest.fixture
def daemon(settings: Settings) -> Iterator[None]:
    """Somebody holds the daemon's lock."""
    state = private_folder(settings.paths.state_dir or Path())
    with FileLock(state / "daemon.lock", "pid 4711 sectune 0.1.0"):
        yield


@pytest.fixture
def failed_run(make_run: Callable[..., Run]) -> Run:
    run = make_run()
    step = run.manifest.step("parse")
    step.status = "failed"
    step.error = StepError(kind="operator", message="The disk [/] is full.", remedy="Make room.")
    run.manifest.status = "needs_attention"
    run.manifest.status_reason = "parse: The disk [/] is full. Make room."
    run.save()
    return run
