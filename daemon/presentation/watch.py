"""Start a daemon in a throw-away home and draw its run, as anybody could from the outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from daemon import terminal
from daemon.presentation.home import ThrowAwayHome
from jobs.errors import OperatorError
from jobs.runs.manifest import Manifest
from jobs.runs.status import UNFINISHED
from jobs.runs.store import Run, RunStore


def progress_bars() -> Progress:
    """Bars on stderr: what is done, a bar, facts, the time it took."""
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[facts]:<44}"),
        TimeElapsedColumn(),
        console=terminal.console(stderr=True),
    )


@contextmanager
def running_daemon(home: ThrowAwayHome) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon with the settings of a home, ended at the end."""
    environment = {**os.environ, "SECTUNE_CONFIG": str(home.config)}
    with home.output.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "daemon", "run"], env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def watch_run(
    home: ThrowAwayHome, progress: Progress, process: subprocess.Popen[bytes], seconds: float
) -> Run:
    """Draw a home's one run until it ends.

    Args:
        home: Whose run it is.
        progress: Gets a bar for each step.
        process: The daemon.
        seconds: How long to wait at most.

    Raises:
        OperatorError: The daemon ended, or the run takes longer.
    """
    store = RunStore(home.models_dir)
    bars: dict[str, TaskID] = {
        "delivery": progress.add_task("delivery", total=None, facts="settling in the inbox")
    }
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise OperatorError(f"The daemon ended by itself; see {home.output}.")
        runs = store.list()[0]
        if runs:
            _draw(progress, bars, runs[0].manifest)
            if runs[0].manifest.status not in UNFINISHED:
                return runs[0]
        time.sleep(0.3)
    raise OperatorError(f"The run did not end within {terminal.duration(seconds)}.", f"See {home.home}.")


def _draw(progress: Progress, bars: dict[str, TaskID], manifest: Manifest) -> None:
    progress.update(bars["delivery"], total=1, completed=1, facts=manifest.run_id)
    for step in manifest.steps:
        if step.status == "pending":
            continue
        if step.name not in bars:
            bars[step.name] = progress.add_task(step.name, total=None, facts="")
        bar = bars[step.name]
        if step.status == "running":
            now = manifest.progress
            facts = [now.phase or "", f"loss {now.train_loss:.3f}" if now.train_loss is not None else ""]
            facts.append(f"{now.tokens_per_second:.0f} tokens/s" if now.tokens_per_second else "")
            progress.update(
                bar, completed=now.iteration or 0, total=now.iterations, facts="  ".join(filter(None, facts))
            )
        else:
            progress.update(bar, total=1, completed=1, facts=step.reason or step.status)
            progress.stop_task(bar)
