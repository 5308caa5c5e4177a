"""The end of a run is told once, also where the daemon was killed before it could."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from daemon import run_end
from jobs.runs.store import Run, RunStore


def told_of(store: RunStore) -> list[str]:
    told: list[str] = []
    run_end.catch_up(store, lambda run: told.append(run.run_id))
    return told


def test_an_end_that_a_killed_daemon_did_not_tell_of_is_told_at_the_next_start_and_once(
    make_run: Callable[..., Run], store: RunStore
) -> None:
    run = make_run()
    run.manifest.status = "completed"
    run.save()
    broken = make_run(delivery="broken")
    broken.folder.manifest.write_text("{")
    assert told_of(store) == [run.run_id]
    assert run.folder.report_page.exists()
    assert told_of(store) == []


def test_unfinished_paused_and_cancelled_runs_are_not_told_of(
    make_run: Callable[..., Run], store: RunStore
) -> None:
    for number, status in enumerate(("queued", "in_progress", "waiting", "paused", "cancelled")):
        run = make_run(delivery=f"d{number}")
        run.manifest.status = status  # type: ignore[assignment]
        run.save()
    assert told_of(store) == []


def test_an_end_of_last_week_is_history(make_run: Callable[..., Run], store: RunStore) -> None:
    run = make_run()
    run.manifest.status = "failed"
    run.save()
    week_ago = time.time() - 7 * 86_400
    os.utime(run.folder.manifest, (week_ago, week_ago))
    assert told_of(store) == []


@pytest.mark.slow
def test_an_end_after_a_retry_is_told_again(make_run: Callable[..., Run], store: RunStore) -> None:
    run = make_run()
    run.manifest.status = "needs_attention"
    run.save()
    run_end.follow_up(run, lambda _: None)
    earlier = time.time() - 60
    os.utime(run.folder.report_page, (earlier, earlier))
    run.manifest.status = "completed"
    run.save()
    assert told_of(store) == [run.run_id]
