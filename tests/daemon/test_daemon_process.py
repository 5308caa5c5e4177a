from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.slow
HEAVY = ("/mlx/", "/mlx_lm/", "/transformers/", "/datasets/", "/numpy/", "/pandas/", "/pyarrow/", "/torch/")
PATIENCE = 30.0


class House:
    """A throw-away home, its daemon and its command line."""

    def __init__(self, home: Path) -> None:
        self.inbox = home / "inbox"
        self.config = home / "config.yaml"
        self.environment = {**os.environ, "SECTUNE_CONFIG": str(self.config)}
        paths = {"inbox": self.inbox, "models_dir": home / "models", "state_dir": home / "state"}
        times = {"stable_seconds": 0.2, "quiet_seconds": 0.5, "scan_seconds": 1}
        self.told = home / "told.json"
        hook = f"import sys; open({str(self.told)!r}, 'w').write(sys.stdin.read())"
        settings = {
            "paths": {key: str(path) for key, path in paths.items()},
            "inbox": times,
            "notify": {"command": [sys.executable, "-c", hook]},
            "base_model": {"source": None},
        }
        self.config.write_text(yaml.safe_dump(settings))

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "daemon", "run"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def sectune(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "daemon", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def is_up(self) -> bool:
        return self.inbox.is_dir() and self.sectune("status").returncode == 0


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def daemon(house: House) -> Iterator[subprocess.Popen[str]]:
    process = house.start()
    eventually(house.is_up)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=PATIENCE)


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_a_second_daemon_refuses_and_names_the_first(house: House, daemon: subprocess.Popen[str]) -> None:
    second = house.sectune("run")
    assert second.returncode == 75
    assert f"already running (pid {daemon.pid} " in second.stderr
    assert daemon.poll() is None


def test_an_html_page_in_the_inbox_is_shown_as_refused(house: House, daemon: subprocess.Popen[str]) -> None:
    (house.inbox / "report.json").write_text("<!doctype html><html><body>Sign in</body></html>")

    def files() -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(house.sectune("inbox", "--json").stdout)["files"]
        return found

    eventually(lambda: [file["state"] for file in files()] == ["refused"])
    assert "HTML" in files()[0]["reason"]
    assert (house.inbox / "report.json").exists()
    assert json.loads(house.sectune("runs", "--json").stdout) == {"runs": []}


def test_a_run_that_needs_somebody_tells_the_users_program(
    house: House, daemon: subprocess.Popen[str], good: Callable[..., str]
) -> None:
    (house.inbox / "trivy.json").write_text(good())  # there is no base model here
    eventually(lambda: house.told.exists() and house.told.read_text().endswith("\n"))
    message = json.loads(house.told.read_text())
    assert message["status"] == "needs_attention"
    assert message["error"]["remedy"]
    assert house.sectune("wait", message["run_id"]).returncode == 5
    assert house.sectune("runs", "cancel", message["run_id"]).returncode == 0
    assert house.sectune("wait", message["run_id"]).returncode == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_the_daemon_stops_cleanly_within_five_seconds(
    house: House, daemon: subprocess.Popen[str], number: signal.Signals
) -> None:
    began = time.monotonic()
    daemon.send_signal(number)
    assert daemon.wait(timeout=PATIENCE) == 0
    assert time.monotonic() - began < 5
    assert house.sectune("status").returncode == 3
    last = (house.config.parent / "state" / "logs" / "daemon.log").read_text().splitlines()[-1]
    assert json.loads(last)["event"] == "daemon stopped"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_the_running_daemon_has_nothing_mapped_of_what_trains(
    house: House, daemon: subprocess.Popen[str]
) -> None:
    maps = Path(f"/proc/{daemon.pid}/maps").read_text()
    assert "python" in maps
    assert [name for name in HEAVY if f"site-packages{name}" in maps] == []
