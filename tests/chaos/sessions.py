"""Every trainer's life, read from the run's log: where it began, how far it came, and when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass
class Session:
    """One trainer process: iterations `start` + 1 to `reached` were really computed and reported by it.

    An iteration that the kill cut off in its middle is in nobody's report, and is not counted.
    """

    pid: int
    start: int
    reached: int
    first: str
    last: str


def sessions_of(lines: Iterable[dict[str, Any]]) -> dict[str, list[Session]]:
    """The trainers of each step, in the order in which they began."""
    found: dict[str, list[Session]] = {}
    for line in lines:
        step, event = line.get("step"), line.get("event")
        if event == "training begins":
            moment = line["timestamp"]
            session = Session(line["pid"], line["start"], line["start"], moment, moment)
            found.setdefault(str(step), []).append(session)
        elif event == "training":
            mine = next(each for each in found[str(step)] if each.pid == line["pid"])
            mine.last = max(mine.last, line["timestamp"])
            if line.get("train_loss") is not None:
                mine.reached = max(mine.reached, line["iteration"])
    return found


def redone_between(
    sessions: Sequence[Session], killed: Collection[int], interval: int, iterations: int
) -> tuple[list[int], list[str]]:
    """What each death of a trainer cost, in iterations, and what was not as promised.

    Args:
        sessions: One step's trainers.
        killed: Process ids that were killed: any other end is nobody's wish.
        interval: Iterations between two checkpoints.
        iterations: What had to be done in all.
    """
    redone, problems = [], []
    if sessions[0].start != 0:
        problems.append(f"the first trainer began at {sessions[0].start}")
    if sessions[-1].reached != iterations:
        problems.append(f"ended at {sessions[-1].reached} of {iterations}")
    for dead, heir in pairwise(sessions):
        again = dead.reached - heir.start
        redone.append(again)
        if dead.pid not in killed:
            problems.append(f"trainer {dead.pid} was replaced though nobody killed it: {again} redone")
        if not 0 <= again <= interval:
            problems.append(f"reached {dead.reached}, went on from {heir.start}: {again} redone")
    return redone, problems


def together(sessions: Iterable[Session]) -> list[str]:
    """Trainers whose lives overlap, of whatever runs: there is one device."""
    ordered = sorted(sessions, key=lambda session: session.first)
    return [
        f"trainers {one.pid} and {other.pid} worked at once ({other.first} before {one.last})"
        for one, other in pairwise(ordered)
        if other.first < one.last
    ]
