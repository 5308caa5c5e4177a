"""Ten thousand files at once, renames, the inbox replaced in between: each ends in a state, none twice."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from jobs.runs.store import RunStore

pytestmark = pytest.mark.slow
FILES, REPORTS, EMPTY, RENAMED = 10_000, 300, 50, 500
PATIENCE = 150.0
FINAL = {"queued", "refused", "duplicate", "nothing"}


class House:
    """A throw-away home, prepared files beside its inbox, a real daemon."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.inbox, self.models, self.state = home / "inbox", home / "models", home / "state"
        config = home / "config.yaml"
        paths = {"inbox": self.inbox, "models_dir": self.models, "state_dir": self.state}
        times = {"stable_seconds": 0.5, "quiet_seconds": 1, "scan_seconds": 1}
        config.write_text(
            yaml.safe_dump(
                {
                    "paths": {name: str(path) for name, path in paths.items()},
                    "inbox": times,
                    "base_model": {"source": None},
                    "log": {"level": "warning"},
                }
            )
        )
        self.environment = {**os.environ, "SECTUNE_CONFIG": str(config)}

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "daemon", "run"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def status(self) -> float:
        """Seconds until `sectune status` had answered, with exit code 0."""
        began = time.monotonic()
        subprocess.run(
            [sys.executable, "-P", "-m", "daemon", "status"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            check=True,
            timeout=60,
        )
        return time.monotonic() - began

    def rows(self) -> list[tuple[str, int, str, str | None]]:
        """Path, inode, state and content of each entry of the ledger."""
        with closing(sqlite3.connect(self.state / "inbox.db", timeout=30)) as connection:
            return connection.execute("select path, inode, state, sha256 from files").fetchall()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def daemon(house: House) -> Iterator[subprocess.Popen[bytes]]:
    process = house.start()
    eventually(lambda: (house.state / "inbox.db").exists() and house.inbox.is_dir())
    yield process
    process.kill()
    process.wait()


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)


def prepare(folder: Path, good: Callable[..., str], without_findings: str) -> set[str]:
    """Fill a folder; returns the hashes of the contents that are worth a run."""
    for number in range(10):
        (folder / f"d{number}").mkdir(parents=True)
    wanted = set()
    for number in range(FILES):
        if number < 2 * REPORTS:  # each report twice
            text = good(f"package{number % REPORTS}")
            wanted.add(hashlib.sha256(text.encode()).hexdigest())
        elif number < 2 * REPORTS + EMPTY:
            text = without_findings + " " * number
        else:
            text = f"<html>{number}</html>" if number % 2 else json.dumps({"number": number})
        # Reports are spread over the whole storm, whatever order it comes in.
        (folder / f"d{number % 10}" / f"{number * 7919 % FILES:05}.json").write_text(text)
    return wanted


def storm(house: House, ready: Path, files: list[Path]) -> float:
    """Move all files in, and exchange the inbox in the middle; returns the seconds it took."""
    for number in range(10):
        (house.inbox / f"d{number}").mkdir()
    began = time.monotonic()
    for path in files[: FILES // 2]:
        (ready / path).rename(house.inbox / path)
    house.inbox.rename(house.home / "old inbox")
    house.inbox.mkdir()
    for folder in (house.home / "old inbox").iterdir():
        folder.rename(house.inbox / folder.name)
    for path in files[FILES // 2 :]:
        (ready / path).rename(house.inbox / path)
    return time.monotonic() - began


def present(inbox: Path) -> dict[tuple[str, int], None]:
    found = (Path(folder, name) for folder, _, names in os.walk(inbox) for name in names)
    return {(str(path), path.lstat().st_ino): None for path in found}


def test_a_storm_ends_with_a_state_for_each_file_and_each_report_in_a_run_once(
    house: House, daemon: subprocess.Popen[bytes], good: Callable[..., str], without_findings: str
) -> None:
    ready = house.home / "ready"
    wanted = prepare(ready, good, without_findings)
    files = sorted(path.relative_to(ready) for path in ready.rglob("*.json"))
    assert len(files) == FILES
    assert storm(house, ready, files) < 10.0  # a second where nobody else works
    answered = [house.status()]
    for path in files[:RENAMED]:
        (house.inbox / path).rename(house.inbox / path.parent / f"renamed {path.name}")

    def done() -> bool:
        answered.append(house.status())
        states = Counter(state for _, _, state, _ in house.rows())
        return states["settling"] + states["accepted"] == 0 and states.total() >= FILES

    eventually(done)
    assert max(answered) < 10.0
    assert daemon.poll() is None

    rows = house.rows()
    state_of = {(path, inode): state for path, inode, state, _ in rows}
    there = present(house.inbox)
    assert len(there) == FILES
    assert {state_of.get(file) for file in there} <= FINAL
    assert {state for file, state in state_of.items() if file not in there} <= FINAL | {"gone"}
    queued = Counter(sha256 for _, _, state, sha256 in rows if state == "queued")
    assert queued == dict.fromkeys(wanted, 1)

    runs, unreadable = RunStore(house.models).list()
    assert unreadable == []
    received = Counter(
        path.name for run in runs for path in run.folder.reports.iterdir()
    )  # each in a folder named by the beginning of its hash
    assert received == dict.fromkeys((sha256[:16] for sha256 in wanted), 1)
