"""One of the processes that train together, as mlx's launcher starts it on each host.

Arguments: the training child's work folder, and its process id. All hosts see the same folders under the same
paths. The first process works in that folder; each other one has a folder of its own below it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs.children import entry, protocol
from jobs.children.entry import Assignment, TaskStopped
from jobs.errors import NetworkError
from jobs.fs import files, locks
from jobs.fs.locks import Holder
from jobs.mlx.training import train
from jobs.mlx.training.distributed import launch
from jobs.mlx.training.distributed.group import join
from jobs.mlx.training.request import TrainingRequest

EXIT_ORPHANED = 70  # EX_SOFTWARE: the training child is gone
RING = "[ring]"  # how mlx marks its errors of the connection
LOOK_SECONDS = 0.5
PREDECESSOR_SECONDS = 30.0


def main() -> None:
    """Train, leave an outcome, and exit."""
    work, parent = Path(sys.argv[1]), int(sys.argv[2])
    request = files.read_json(work / protocol.REQUEST)
    _end_with(work, parent, request["payload"]["launch"]["backend"])
    # All of a rank's failures, also of joining, belong into its outcome.
    rank = int(os.environ.get("MLX_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", "0")))
    assignment = _own(entry.assignment_in(request, work), rank)
    try:
        outcome = entry.attempt(_train, TrainingRequest, assignment)
    except TaskStopped:  # no outcome: the work goes on from its checkpoint
        entry.leave(0)
    if outcome["status"] == "failed" or rank == 0:
        files.write_json(launch.outcome_of(work, rank), outcome)
    entry.leave(0 if outcome["status"] == "done" else 1)


def _own(assignment: Assignment[dict[str, Any]], rank: int) -> Assignment[dict[str, Any]]:
    """What this process reads and writes: the first has the child's folder and the run's log."""
    if rank == 0:
        return assignment
    work = files.private_folder(assignment.work / f"rank-{rank}")
    payload = {**assignment.payload, "metrics": str(work / "metrics.jsonl")}
    return replace(assignment, work=work, payload=payload, log=work / "log.jsonl")


def _train(assignment: Assignment[TrainingRequest]) -> dict[str, Any]:
    wanted = assignment.payload.launch
    try:
        group = join(wanted.backend, len(wanted.hosts))
        if group.leads:
            _take_the_lead(assignment.work)
        group.wait()
        return train.train_stage(assignment, group)
    except RuntimeError as error:
        if RING not in str(error):
            raise
        raise NetworkError(
            f"The processes that train together lost one another: {error}.",
            "The training goes on from its checkpoint; what each process printed last is in child.out.",
        ) from error


def _take_the_lead(work: Path) -> None:
    """Take the lock of the one who writes; the first process of a killed child may need a moment to end."""
    lock = locks.FileLock(work.with_name(f"{work.name}.rank.lock"), str(Holder(os.getpid())))
    deadline = time.monotonic() + PREDECESSOR_SECONDS
    while True:
        try:
            return lock.acquire()  # until this process ends
        except locks.LockBusy:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _end_with(work: Path, parent: int, backend: str) -> None:
    """End this process when the training child has ended."""

    def see_input_close() -> None:
        while os.read(0, 4096):  # not sys.stdin: its lock would stand in the way of an orderly exit
            pass
        os._exit(EXIT_ORPHANED)

    def see_lock_free() -> None:
        while Holder.parse(locks.lock_holder(work / protocol.LOCK) or "").pid == parent:
            time.sleep(LOOK_SECONDS)
        os._exit(EXIT_ORPHANED)

    # mpirun gives its processes an empty input; it ends all of them when the first one ends.
    watches = {"ring": see_input_close, "mpi": see_lock_free}
    if backend == "ring" or os.environ.get("OMPI_COMM_WORLD_RANK", "0") == "0":
        threading.Thread(target=watches[backend], daemon=True).start()


if __name__ == "__main__":
    main()
