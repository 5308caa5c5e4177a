"""The command `report`: a run as one HTML page."""

from __future__ import annotations

import webbrowser

from daemon import terminal
from daemon.cli.world import World


def report(world: World, run_id: str, show: bool) -> None:
    """Write a run's report anew and say where it is; `show` opens it in the browser."""
    from jobs.reporting.page import write_report

    run = world.store.open(run_id)
    path = write_report(run.folder, run.manifest)
    terminal.say(str(path))
    if show and not webbrowser.open(path.as_uri()):
        terminal.note("No browser could be opened; open the file by hand.")
