"""Several processes, on this machine or on several, for one training: started with mlx's own launcher.

The child that the daemon started keeps the locks, starts the processes and waits for the first one's outcome.
However it ends, they end with it: they see their standard input close (`jobs.mlx.training.distributed.rank`).
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from jobs.children import protocol
from jobs.children.entry import Assignment, TaskStopped
from jobs.errors import ChildFailed, OperatorError
from jobs.fs import files
from jobs.mlx.training.request import Launch, TrainingRequest

LOOPBACK = "127.0.0.1"
STOP = "stop"  # the first process looks for this file after each update
HOSTS = "hosts.json"
PASSED_ON = ("LD_PRELOAD", "TOKENIZERS_PARALLELISM", "HF_HUB_DISABLE_TELEMETRY", "PYTHONUNBUFFERED")


def run(assignment: Assignment[TrainingRequest]) -> dict[str, Any]:
    """Train in as many processes as there are hosts.

    Returns:
        The first process's result.

    Raises:
        TaskStopped: The training was asked to end, and has, behind a checkpoint.
    """
    launch, work = assignment.payload.launch, assignment.work
    for stale in (work / STOP, *work.glob("outcome-*.json")):
        stale.unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, lambda number, frame: (work / STOP).touch())
    if launch.backend == "mpi" and shutil.which("mpirun") is None:
        raise OperatorError(
            "training.launch_backend is mpi, and there is no mpirun in the PATH.",
            "Install an MPI on every host, or set training.launch_backend: ring.",
        )
    files.write_json(work / HOSTS, host_entries(launch.hosts))
    _launcher(_arguments(launch, work))
    return _result(work, len(launch.hosts))


def host_entries(hosts: Sequence[str]) -> list[dict[str, Any]]:
    """The hosts as mlx's launcher reads them: how each is reached (`ssh`; 127.0.0.1: no need), and where.

    Raises:
        OperatorError: A host has no address, or the first is not this machine.
    """
    addresses = [_address(host) for host in hosts]
    local = [ipaddress.ip_address(address).is_loopback for address in addresses]
    if any(local) and not all(local):
        raise OperatorError(
            f"training.hosts mixes {LOOPBACK} with other hosts, which cannot reach it.",
            "Name this machine by the address under which the others reach it.",
        )
    if not _is_ours(addresses[0]):
        raise OperatorError(
            f"The first of training.hosts ({hosts[0]}) is not this machine.",
            "Put this machine first: it writes the checkpoints.",
        )
    return [
        {"ssh": LOOPBACK if address == addresses[0] else host, "ips": [address]}
        for host, address in zip(hosts, addresses, strict=True)
    ]


def _address(host: str) -> str:
    try:
        return socket.gethostbyname(host.rpartition("@")[2])
    except OSError as error:
        raise OperatorError(
            f"training.hosts names {host}, which has no address: {error}.", "Correct the name."
        ) from error


def _is_ours(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _arguments(launch: Launch, work: Path) -> list[str]:
    passed_on = [f"--env={name}={os.environ[name]}" for name in PASSED_ON if name in os.environ]
    return [
        f"--backend={launch.backend}",
        f"--hostfile={work / HOSTS}",
        f"--starting-port={launch.port}",
        *passed_on,
        "--",
        *(sys.executable, "-P", "-m", "jobs.mlx.training.distributed.rank", str(work), str(os.getpid())),
    ]


def _launcher(arguments: list[str]) -> None:
    """Be mlx's launcher until all processes have ended.

    It runs inside of this process, so that no other one has to be ended when this one is killed.
    """
    (script,) = entry_points(group="console_scripts", name="mlx.launch")
    reading, _ = os.pipe()  # it watches its input, and would never rest on one that has ended
    sys.stdin = os.fdopen(reading)
    sys.argv = ["mlx.launch", *arguments]
    script.load()()


def _result(work: Path, size: int) -> dict[str, Any]:
    outcomes = [
        files.read_json(path) for path in map(outcome_of, [work] * size, range(size)) if path.exists()
    ]
    for outcome in outcomes:
        if outcome["status"] == "failed":
            raise protocol.error_of(outcome["error"])
    if outcomes:
        return dict(outcomes[0]["result"])
    if (work / STOP).exists():
        raise TaskStopped
    raise ChildFailed("A process of the group ended without an outcome; what it printed is in child.out.")


def outcome_of(work: Path, rank: int) -> Path:
    """Where a process of the group leaves its result, or why there is none."""
    return work / f"outcome-{rank}.json"
