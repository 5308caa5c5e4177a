"""Where an MLX job is, told from the files its child leaves: lock, receipt, metrics and log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jobs.children import life, protocol
from jobs.children.follow import Tail
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


def status(handle: Handle) -> JobStatus:
    """Read a job's state.

    A job that neither runs nor has ended (its child was killed) is queued: the next start goes on from its
    checkpoint.
    """
    request = _read(handle.work / protocol.REQUEST)
    if request.get("key") != handle.id:
        return JobStatus("queued")
    newest = _newest(handle.work / protocol.PROGRESS)
    receipt = _read(handle.work / protocol.RECEIPT)
    state = _state(handle, receipt, newest)
    return JobStatus(
        status=state,
        progress=_progress(state, newest),
        metrics=_metrics(Path(request["payload"]["metrics"])),
        events=tuple(_events(Path(request["log"]), request["facts"])),
        eta_seconds=newest.get("eta_seconds") if state == "running" else None,
        error=_failure(receipt) if state == "failed" else None,
    )


def _state(handle: Handle, receipt: Mapping[str, Any], newest: Mapping[str, Any]) -> State:
    if life.works_on(handle.work, handle.id):
        return "running" if newest.get("iteration") is not None else "validating_files"
    if receipt.get("key") == handle.id:
        return "succeeded" if receipt["status"] == "done" else "failed"
    saved = Handle.load(handle.work)
    return "cancelled" if saved is not None and saved.cancelled_at else "queued"


def _progress(state: State, newest: Mapping[str, Any]) -> float | None:
    if state == "succeeded":
        return 1.0
    done, planned = newest.get("iteration"), newest.get("iterations")
    return None if done is None or not planned else min(1.0, done / planned)


def _newest(path: Path) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for row in Tail(path).rows():
        merged.update(row)
    return merged


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


def _failure(receipt: Mapping[str, Any]) -> Failure:
    error = receipt["error"]
    return Failure(f"{error['message']} {error['remedy']}".rstrip(), error["kind"])


def _read(path: Path) -> dict[str, Any]:
    return dict(files.read_json(path)) if path.exists() else {}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
