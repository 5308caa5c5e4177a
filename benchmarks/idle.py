"""The idle daemon against Huey and watchdog alone; how soon a report is queued; how long `status` takes.

`python -m benchmarks.idle` starts two processes side by side on throw-away homes and looks at both over the
same seconds:

daemon    `sectune run`, with the settings' defaults for the queue; nothing in its inbox
baseline  a SQLite Huey with as many workers and the same polling, and a watchdog observer on a folder

Memory is RSS (on Linux also PSS, which counts a shared page in parts), CPU is user and system time after the
start. Then it drops reports into the inbox of a second daemon, one after the other, and asks its ledger when
each was queued, counted from the last byte. Last it times `sectune status` against `python -c pass`, taking
turns, while the daemon runs; then with completed runs in the models folder. The first `status` after those
runs appeared is shown apart: it reads every manifest, and is no part of the ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.idle_figures import LIMITS, STABLE_SECONDS, describe, limits_kept
from config.load import load
from jobs.pipeline.step_table import STEP_NAMES
from jobs.runs.delivery import Delivery
from jobs.runs.folder import MANIFEST
from jobs.runs.manifest import Output
from jobs.runs.store import RunStore

READY_SECONDS = 30.0
BASELINE = """
import sys
from huey import SqliteHuey
from watchdog.events import FileSystemEventHandler
from watchdog.observers import Observer

huey = SqliteHuey(name="baseline", filename=sys.argv[1] + "/queue.db", results=False, fsync=True)

@huey.task()
def nothing(run_id):
    pass

observer = Observer()
observer.schedule(FileSystemEventHandler(), sys.argv[1], recursive=True)
observer.start()
huey.create_consumer(workers=2, periodic=False, initial_delay=0.2, max_delay=1.0).run()
"""


@dataclass(frozen=True)
class Plan:
    """What is measured, and for how long."""

    seconds: float
    rounds: int
    drops: int
    turns: int
    runs: int


class House:
    """A throw-away home with a daemon's settings."""

    def __init__(self, home: Path, **inbox: float) -> None:
        self.home = home
        self.inbox, self.models, self.state = home / "inbox", home / "models", home / "state"
        self.inbox.mkdir(parents=True)
        config = home / "config.yaml"
        paths = {"inbox": str(self.inbox), "models_dir": str(self.models), "state_dir": str(self.state)}
        config.write_text(yaml.safe_dump({"paths": paths, "inbox": inbox, "base_model": {"source": None}}))
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SECTUNE")}
        self.environment = {**kept, "HOME": str(home), "SECTUNE_CONFIG": str(config)}
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
            self.environment.pop(name, None)
        self.config = config

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[bytes]]:
        """The daemon, once its log says that it watches."""
        with _process([sectune(), "run"], self.environment) as process:
            deadline = time.monotonic() + READY_SECONDS
            log = self.state / "logs" / "daemon.log"
            while not (log.exists() and '"watching"' in log.read_text()):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit("the daemon does not start")
                time.sleep(0.05)
            yield process


def sectune() -> str:
    """The console script of this very environment."""
    return str(Path(sys.executable).with_name("sectune"))


@contextmanager
def _process(words: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=READY_SECONDS)


def main() -> None:
    """Measure and print; exit code 1 if a limit is missed."""
    plan, as_json = _plan()
    folder = Path(tempfile.mkdtemp(prefix="sectune-benchmark-"))
    try:
        results = {
            "idle": _idle(folder, plan),
            "late_seconds": _late(folder, plan),
            "status": _statuses(folder, plan),
            "limits": LIMITS,
        }
    finally:
        shutil.rmtree(folder)
    verdict = limits_kept(results)
    if as_json:
        json.dump({**results, "kept": verdict}, sys.stdout, indent=2)
    else:
        sys.stdout.write(describe(results, verdict))
    sys.exit(0 if all(verdict.values()) else 1)


def _plan() -> tuple[Plan, bool]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=30.0, help="of looking at the idle processes, a round"
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--drops", type=int, default=5, help="reports, one after the other")
    parser.add_argument("--turns", type=int, default=25, help="of status and of python -c pass")
    parser.add_argument("--runs", type=int, default=1000, help="in the models folder")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    return Plan(given.seconds, given.rounds, given.drops, given.turns, given.runs), given.json


# the idle processes


def _idle(folder: Path, plan: Plan) -> dict[str, dict[str, float]]:
    rounds = [_side_by_side(folder / f"idle{number}", plan.seconds) for number in range(plan.rounds)]
    return {
        who: {what: statistics.median(each[who][what] for each in rounds) for what in rounds[0][who]}
        for who in ("daemon", "baseline")
    }


def _side_by_side(home: Path, seconds: float) -> dict[str, dict[str, float]]:
    house = House(home / "house")
    watched = home / "baseline"
    watched.mkdir()
    program = [sys.executable, "-c", BASELINE, str(watched)]
    with house.daemon() as daemon, _process(program, house.environment) as baseline:
        time.sleep(3.0)  # what a start leaves to be done is done
        pids = {"daemon": daemon.pid, "baseline": baseline.pid}
        before = {who: _cpu_seconds(pid) for who, pid in pids.items()}
        time.sleep(seconds)
        return {
            who: {**_memory(pid), "cpu_seconds_a_minute": (_cpu_seconds(pid) - before[who]) / seconds * 60}
            for who, pid in pids.items()
        }


def _memory(pid: int) -> dict[str, float]:
    rollup = Path(f"/proc/{pid}/smaps_rollup")
    if not rollup.exists():  # macOS
        said = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=True
        )
        return {"rss_mb": int(said.stdout) * 1024 / 1e6}
    facts = dict(line.split(":", 1) for line in rollup.read_text().splitlines() if ":" in line[:20])
    return {f"{name.lower()}_mb": int(facts[name].split()[0]) * 1024 / 1e6 for name in ("Rss", "Pss")}


def _cpu_seconds(pid: int) -> float:
    # Linux counts in nanoseconds here, and elsewhere in ticks of 10 ms, which is all that idling takes.
    threads = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
    if threads:
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9
    said = subprocess.run(["ps", "-o", "time=", "-p", str(pid)], capture_output=True, text=True, check=True)
    seconds = 0.0
    for part in said.stdout.strip().split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


# how soon a report is queued


def _late(folder: Path, plan: Plan) -> list[float]:
    """Seconds from the last byte until the ledger says "queued", less the time a file has to be still."""
    house = House(folder / "late", stable_seconds=STABLE_SECONDS, quiet_seconds=0.0, scan_seconds=60.0)
    late = []
    with house.daemon():
        for number in range(plan.drops):
            path = house.inbox / f"report{number}.json"
            path.write_text(_report(number))
            written = time.monotonic()
            while not _queued(house.state / "inbox.db", path):
                if time.monotonic() - written > READY_SECONDS:
                    raise SystemExit("the report is not queued")
                time.sleep(0.02)
            late.append(time.monotonic() - written - STABLE_SECONDS)
            _until_ended(house)  # else the next delivery would gather behind this run
    return late


def _queued(ledger: Path, path: Path) -> bool:
    with closing(sqlite3.connect(ledger, timeout=10)) as connection:
        found = connection.execute("select state from files where path = ?", (str(path),)).fetchall()
    return bool(found == [("queued",)])


def _until_ended(house: House) -> None:
    store = RunStore(house.models)
    while store.unfinished():
        time.sleep(0.1)


def _report(number: int) -> str:
    found = {
        "VulnerabilityID": f"CVE-2099-{number + 1000}",
        "PkgName": f"package{number}",
        "InstalledVersion": "1.0.0",
        "FixedVersion": "1.0.1",
        "Severity": "HIGH",
        "Title": "a flaw",
    }
    result = {"Target": "requirements.txt", "Class": "lang-pkgs", "Type": "pip", "Vulnerabilities": [found]}
    return json.dumps({"SchemaVersion": 2, "ArtifactName": "shop", "Results": [result]})


# status


def _statuses(folder: Path, plan: Plan) -> dict[str, Any]:
    house = House(folder / "status")
    with house.daemon():
        without = _compared(house, plan.turns)
        _fill(house, plan.runs)
        began = time.monotonic()
        _status(house)
        first = time.monotonic() - began
        return {
            "runs": plan.runs,
            "without": without,
            "first_seconds": first,
            "with_runs": _compared(house, plan.turns),
        }


def _compared(house: House, turns: int) -> dict[str, float]:
    _status(house)
    seconds: dict[str, list[float]] = {"python": [], "status": []}
    for _ in range(turns):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], env=house.environment, check=True)
        seconds["python"].append(time.perf_counter() - began)
        began = time.perf_counter()
        _status(house)
        seconds["status"].append(time.perf_counter() - began)
    median = {who: statistics.median(each) for who, each in seconds.items()}
    return {
        **{f"{who}_ms": value * 1000 for who, value in median.items()},
        "ratio": median["status"] / median["python"],
    }


def _status(house: House) -> None:
    subprocess.run([sectune(), "status"], env=house.environment, check=True, stdout=subprocess.DEVNULL)


def _fill(house: House, count: int) -> None:
    """Completed runs: each a folder with a manifest of the usual size."""
    settings = load(house.config).settings
    run = RunStore(house.home / "drafts").create(settings, Delivery("d", ()), STEP_NAMES, lambda folder: None)
    for step in run.manifest.steps:
        step.status = "succeeded"
        step.outputs = [Output(path=f"./{step.name}/{n}", sha256=f"{n:064x}", bytes=n) for n in range(6)]
    run.manifest.status = "completed"
    root = house.models / "training-runs"
    for number in range(count):
        run.manifest.run_id = f"{run.folder.root.name}-{number}"
        (root / run.manifest.run_id).mkdir(parents=True)
        (root / run.manifest.run_id / MANIFEST).write_text(run.manifest.model_dump_json(indent=2) + "\n")
    time.sleep(0.2)


if __name__ == "__main__":
    main()
