"""What the intake works with, and reports of our own making."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import structlog

from config.settings import Settings
from daemon import cli
from daemon.inbox.intake import Intake, IntakeDependencies
from daemon.inbox.ledger import Ledger
from daemon.log import silence
from jobs.fs.files import private_folder
from jobs.runs.store import RunStore
from jobs.state_files import StateFiles


def report(package: str = "requests") -> str:
    """A Trivy report with one finding that an upgrade mends."""
    vulnerability = {
        "VulnerabilityID": "CVE-2018-18074",
        "PkgName": package,
        "InstalledVersion": "2.19.0",
        "FixedVersion": "2.20.0",
        "Severity": "HIGH",
        "Title": "credentials sent to another host",
    }
    target = {"Target": "requirements.txt", "Class": "lang-pkgs", "Type": "pip"}
    return json.dumps(
        {
            "SchemaVersion": 2,
            "ArtifactName": "shop",
            "ArtifactType": "filesystem",
            "Results": [{**target, "Vulnerabilities": [vulnerability]}],
        }
    )


EMPTY_REPORT = json.dumps(
    {"SchemaVersion": 2, "ArtifactName": "shop", "ArtifactType": "filesystem", "Results": []}
)


class Answer(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def sectune(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Answer]:
    """The console script, arguments in, exit code and both streams out."""
    for name in ("inbox", "models_dir", "state_dir"):
        monkeypatch.setenv(f"SECTUNE__PATHS__{name.upper()}", str(getattr(settings.paths, name)))

    def call(*words: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["sectune", *map(str, words)])
        structlog.reset_defaults()
        with pytest.raises(SystemExit) as end:
            cli.main()
        code = end.value.code
        captured = capsys.readouterr()
        return Answer(code if isinstance(code, int) else 0, captured.out, captured.err)

    return call


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    silence()
    yield
    structlog.reset_defaults()


@pytest.fixture
def good() -> Callable[..., str]:
    return report


@pytest.fixture
def without_findings() -> str:
    return EMPTY_REPORT


@pytest.fixture
def inbox(settings: Settings) -> Path:
    return private_folder(settings.paths.inbox)


@pytest.fixture
def enqueued() -> list[str]:
    return []


@pytest.fixture
def dependencies(settings: Settings, enqueued: list[str]) -> IntakeDependencies:
    state = private_folder(settings.paths.state_dir or Path(os.devnull))
    return IntakeDependencies(
        settings,
        Ledger(state / "inbox.db"),
        RunStore(settings.paths.models_dir),
        StateFiles(state),
        enqueued.append,
    )


@pytest.fixture
def intake(dependencies: IntakeDependencies) -> Intake:
    return Intake(dependencies)


@pytest.fixture
def drop(inbox: Path, intake: Intake) -> Callable[[str, str | bytes], str]:
    """Puts a file into the inbox and has it received; returns the state."""

    def put(name: str, content: str | bytes) -> str:
        path = inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return intake.receive(path, inbox)

    return put
