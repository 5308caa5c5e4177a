"""A run whose stages train in two processes of this machine, with a daemon that dies meanwhile."""

from __future__ import annotations

import shutil
import signal
import socket
from pathlib import Path

import pytest

from jobs.children import life
from jobs.fs import files

pytestmark = pytest.mark.slow


def a_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return min(int(probe.getsockname()[1]), 64_000)


def test_two_processes_train_on_while_the_daemon_dies_and_the_next_adopts_them(house, report: Path) -> None:  # type: ignore[no-untyped-def]
    house.scene.write_settings(
        {
            "inbox": {"stable_seconds": 0.3, "quiet_seconds": 0.5, "scan_seconds": 0.5},
            "queue": {"reconcile_seconds": 0.5},
            "stage1": {"iters": 20, "batch_size": 4},
            "stage2": {"iters": 4, "batch_size": 4},
            "training": {
                "hosts": ["127.0.0.1", "127.0.0.1"],
                "launch_port": a_port(),
                "report_every": 1,
                "max_seq_length": 512,
            },
        }
    )
    shutil.copy(report, house.scene.inbox / "osv.json")
    house.start()
    manifest = house.wait_for(lambda m: m.progress.step == "train_1" and (m.progress.iteration or 0) >= 2)
    run = house.scene.models_dir / "training-runs" / manifest.run_id
    trainer = life.living(run / "work" / "train_1")
    assert trainer is not None
    house.stop(signal.SIGKILL)
    house.start()
    house.wait_for(lambda m: m.step("train_1").attempts == 2)
    manifest = house.wait_for(lambda m: m.step("train_1").status == "succeeded")
    assert files.read_json(run / "stage1" / "adapters" / "adapter_config.json")["processes"] == 2
    log = (house.scene.state / "logs" / "runs" / f"{manifest.run_id}.log").read_text()
    assert log.count('"training begins"') == 1
    rows = list(files.read_jsonl(run / "stage1" / "metrics.jsonl"))
    assert [row["iteration"] for row in rows if "train_loss" in row] == list(range(1, 21))
    assert house.stop() == 0
