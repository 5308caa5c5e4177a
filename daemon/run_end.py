"""What follows a run's end: its report is written and people are told, even if the daemon died meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import structlog

from config.errors import SectuneError
from jobs.runs.folder import RunFolder
from jobs.runs.store import Run, RunStore

log = structlog.get_logger("sectune.daemon")
# Older ends are history: a store that was moved here must not fill the screen with notifications.
LATE_SECONDS = 86_400.0
ENDED = ("completed", "failed", "needs_attention")


def follow_up(run: Run, tell: Callable[[Run], None]) -> None:
    """Tell of a run's end, and write its report last: that it is there means that all was done."""
    from jobs.reporting.page import write_report  # jinja2 and the page are needed once in a day

    tell(run)
    try:
        write_report(run.folder, run.manifest)
    except Exception:  # a report that cannot be written must not make the run look unfinished
        log.exception("the report could not be written", run=run.run_id)


def catch_up(store: RunStore, tell: Callable[[Run], None]) -> None:
    """Do it for the runs of the last day whose end a killed daemon could not tell of."""
    for run_id in _untold(store):
        try:
            run = store.open(run_id)
        except SectuneError:  # `sectune status` names it; it keeps nobody else's end from being told
            continue
        if run.manifest.status in ENDED:
            log.info("the end of a run is told late", run=run_id)
            follow_up(run, tell)


def _untold(store: RunStore) -> Iterator[str]:
    """Runs whose manifest was written within the last day and since their report."""
    for run_id in store.ids():
        folder = RunFolder(store.root / run_id)
        written = _changed(folder.manifest)
        if written > time.time() - LATE_SECONDS and written > _changed(folder.report_page):
            yield run_id


def _changed(path: Path) -> float:
    return path.stat().st_mtime if path.exists() else 0.0
