"""What `sectune status` and the reconciler want to know of a run, without reading its whole manifest.

The manifests stay the truth. Two copies of a few of their words spare the reading: `.summary.json`, which
a manifest's writer leaves beside it, and an index of all runs in the cache folder, which readers write.
Each row says what the manifest looked like when it was read (size, times, inode), and which version of
this code read it; a row that does not fit is thrown away and the manifest read instead.
"""

# As in config/cache.py, no pathlib.
# ruff: noqa: PTH100, PTH116, PTH118, PTH120, PTH123, PTH208
from __future__ import annotations

import json
import os
import stat

from config.cache import Look, look_of, number_of, read_cache, settled, write_cache
from jobs.runs.folder import MANIFEST, SUMMARY
from jobs.runs.status import DONE, SHOWN, UNFINISHED, RunStatus

TYPE_CHECKING = False  # see config/cache.py
if TYPE_CHECKING:
    from typing import Any

    from jobs.runs.manifest import Manifest

    Row = dict[str, Any]

HERE = os.path.dirname(os.path.abspath(__file__))
# Taken when this process was started: after an upgrade, an old daemon's rows do not fit the new code.
CODE = [
    look_of(os.path.join(HERE, name)) for name in ("summaries.py", "manifest.py", "status.py", "waiting.py")
]


def summary_of(manifest: Manifest) -> dict[str, Any]:
    """A run in a few words; the figures of its step only if they are of that very step."""
    from dataclasses import asdict

    from jobs.runs.manifest import Progress

    step = manifest.next_step()
    # The next step may not have begun yet; the last one's figures would be shown under its name.
    its_own = step is not None and manifest.progress.step == step.name
    return {
        "run_id": manifest.run_id,
        "status": manifest.status,
        "status_reason": manifest.status_reason,
        "waiting_for": asdict(manifest.waiting_for) if manifest.waiting_for else None,
        "priority": manifest.priority,
        "step": step.name if step else None,
        "progress": (manifest.progress if its_own else Progress()).model_dump(),
        "steps_done": sum(step.status in DONE for step in manifest.steps),
        "steps": len(manifest.steps),
    }


def leave(folder: str, manifest: Manifest) -> None:
    """Put a summary beside a manifest that was just written; without one, status is only slower."""
    look = look_of(os.path.join(folder, MANIFEST))
    if look is None:
        return
    try:
        # Not durable and not atomic: a torn one is no JSON, an old one does not fit the manifest.
        with open(os.path.join(folder, SUMMARY), "w", encoding="utf-8") as stream:
            json.dump({"code": CODE, "row": _row(look, manifest)}, stream)
    except OSError:
        return


def _row(look: Look, manifest: Manifest) -> Row:
    shown = summary_of(manifest) if manifest.status in SHOWN else None
    return {"look": look, "status": manifest.status, "timestamp": manifest.timestamp, "summary": shown}


class Overview:
    """All runs below one folder.

    Attributes:
        unfinished: Summaries of the unfinished runs, oldest first.
        attention: Summaries of those that need a person, oldest first.
        unreadable: Folders whose manifest cannot be read, with the reason.
        completed: How many runs are complete.
    """

    def __init__(self, rows: dict[str, Row]) -> None:
        # As RunStore.list orders them: by the moment, then by the id.
        readable = sorted(
            (row for row in rows.values() if row["summary"]),
            key=lambda row: (_moment(row["timestamp"]), row["summary"]["run_id"]),
        )
        shown = [row["summary"] for row in readable]
        self.unfinished = [summary for summary in shown if summary["status"] in UNFINISHED]
        self.attention = [summary for summary in shown if summary["status"] == RunStatus.NEEDS_ATTENTION]
        self.unreadable = [(folder, row["reason"]) for folder, row in rows.items() if "reason" in row]
        self.completed = sum(row["status"] == RunStatus.COMPLETED for row in rows.values())


def _moment(timestamp: str) -> str:
    # 00:00:00.5Z comes after 00:00:00Z, and is the same as 00:00:00.500Z.
    text = timestamp.removesuffix("Z")
    return text.rstrip("0") if "." in text else text + "."


def overview(root: str) -> Overview:
    """Look at every run below `root` (the folder `training-runs`)."""
    root = os.path.abspath(root)
    name = f"runs-{number_of(root)}.json"
    known = _known(name, root)
    rows, index, changed = {}, {}, False
    for run_id, look in _manifests(root):
        row = known.get(run_id)
        indexed = row is not None and row["look"] == look
        if row is None or not indexed:
            row = _left(os.path.join(root, run_id), look)
        fresh = row or _read(os.path.join(root, run_id), look)
        rows[os.path.join(root, run_id)] = fresh
        # A run in progress changes every second; its own summary is quick enough, if it has one.
        if indexed or (settled(look) and (row is None or fresh["status"] != RunStatus.IN_PROGRESS)):
            index[run_id] = fresh
            changed = changed or not indexed
    if changed or len(index) != len(known):
        write_cache(name, {"code": CODE, "root": root, "rows": index})
    return Overview(rows)


def _known(name: str, root: str) -> dict[str, Row]:
    found = read_cache(name)
    fits = isinstance(found, dict) and (found.get("code"), found.get("root")) == (CODE, root)
    return found["rows"] if fits else {}


def _manifests(root: str) -> list[tuple[str, Look]]:
    found = []
    try:
        names = os.listdir(root)
    except OSError:  # no run yet; what else is wrong with it, the doctor says
        return []
    for name in names:
        if name.startswith("."):
            continue
        try:
            status = os.stat(f"{root}/{name}/{MANIFEST}")
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.append((name, [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]))
    return found


def _left(folder: str, look: Look) -> Row | None:
    try:
        with open(os.path.join(folder, SUMMARY), encoding="utf-8") as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return None
    fits = isinstance(found, dict) and found.get("code") == CODE and found["row"]["look"] == look
    row: Row = found["row"] if fits else {}
    return row or None


def _read(folder: str, look: Look) -> Row:
    from pathlib import Path

    from jobs.errors import OperatorError
    from jobs.runs.manifest import read_manifest

    try:
        return _row(look, read_manifest(Path(folder) / MANIFEST))
    except OperatorError as error:
        return {"look": look, "status": "", "timestamp": "", "summary": None, "reason": error.message}
