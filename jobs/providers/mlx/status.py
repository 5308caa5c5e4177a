"""Where an MLX job is, told from the files its child leaves: lock, receipt, metrics and log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.children import protocol
from jobs.children.follow import Tail, merge
from jobs.children.outcome import Outcome, outcome_of
from jobs.children.outcome import State as Work
from jobs.fs import files
from jobs.providers.provider import Event, Failure, Handle, JobStatus, Point, State

MEASURED = (
    "train_loss",
    "valid_loss",
    "learning_rate",
    "tokens_per_second",
    "peak_memory_gb",
)
OF_EVERY_LINE = ("timestamp", "level", "event")
NEWEST_BYTES = 1 << 14  # of progress.jsonl: some 80 reports, four times what is between two validations
NOTHING_BEGAN = Failure("Its folder does not hold its request.", "bug", remedy="Start it again.")


def status(handle: Handle, history: bool) -> JobStatus:
    """Read a job's state.

    A job that neither runs nor has ended (its child was killed) is queued: the next start goes on from its
    checkpoint.
    """
    outcome = outcome_of(handle.work, handle.id)
    if outcome.state is Work.ABSENT:
        return JobStatus("queued", stalled=NOTHING_BEGAN)
    newest = merge(Tail(handle.work / protocol.PROGRESS, NEWEST_BYTES).rows())
    state = _state(handle, outcome, newest)
    error = Failure.of(outcome.error) if outcome.error is not None else None
    request = files.read_json(handle.work / protocol.REQUEST) if history else None
    return JobStatus(
        status=state,
        progress=_progress(state, newest),
        newest=newest,
        eta_seconds=newest.get("eta_seconds") if state == "running" else None,
        error=error if state == "failed" else None,
        stalled=error if state == "queued" else None,
        result=outcome.result,
        metrics=_metrics(Path(request["payload"]["metrics"])) if request else {},
        events=tuple(_events(Path(request["log"]), request["facts"])) if request else (),
    )


def _state(handle: Handle, outcome: Outcome, newest: Mapping[str, Any]) -> State:
    if outcome.state is Work.RUNNING:
        return "running" if newest.get("iteration") is not None else "validating_files"
    if outcome.state is Work.DONE:
        return "succeeded"
    if outcome.state is Work.FAILED:
        return "failed"
    saved = Handle.load(handle.work)
    return "cancelled" if saved is not None and saved.cancelled_at else "queued"


def _progress(state: State, newest: Mapping[str, Any]) -> float | None:
    if state == "succeeded":
        return 1.0
    done, planned = newest.get("iteration"), newest.get("iterations")
    return None if done is None or not planned else min(1.0, done / planned)


def _metrics(path: Path) -> dict[str, tuple[Point, ...]]:
    found: dict[str, list[Point]] = {}
    for row in Tail(path).rows():
        for name in MEASURED:
            if row.get(name) is not None:
                found.setdefault(name, []).append(Point(row["iteration"], row[name], _moment(row["time"])))
    return {name: tuple(points) for name, points in found.items()}


def _events(log: Path, facts: Mapping[str, str]) -> Iterator[Event]:
    for row in Tail(log).rows():
        if {**row, **facts} == row and all(key in row for key in OF_EVERY_LINE):
            data = {key: value for key, value in row.items() if key not in (*OF_EVERY_LINE, *facts)}
            yield Event(str(row["event"]), str(row["level"]), str(row["timestamp"]), data)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
