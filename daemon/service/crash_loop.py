"""A daemon that launchd starts again and again in vain stays down until a person has looked.

launchd starts a failed agent every `ThrottleInterval` (30 s) for ever, and never rotates its boot log;
systemd has a limit of its own (`StartLimitBurst`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_state_path

from jobs.fs import files
from jobs.state_files import STARTS_FILE
from launchd.agent import DEFAULT_LABEL

STARTS = 5
WINDOW_SECONDS = 600.0


class CrashLoop(Exception):
    """The daemon was started too often within a short time; the process is to end with exit code 0."""


def starts_file() -> Path:
    """Where starts are counted: known without the settings, which may be what is broken."""
    return user_state_path("sectune") / STARTS_FILE


def run_guarded(daemon: Callable[[], None], clock: Callable[[], float] = time.time) -> None:
    """Run the daemon; under launchd, count its starts first.

    Args:
        daemon: Returns when it was stopped on purpose.
        clock: Seconds on the wall; starts outlive a boot.

    Raises:
        CrashLoop: Under launchd, at the sixth start within ten minutes.
    """
    if os.environ.get("XPC_SERVICE_NAME") != DEFAULT_LABEL:
        daemon()
        return
    file = starts_file()
    files.private_folder(file.parent)
    recent = [moment for moment in _starts(file) if 0 <= clock() - moment < WINDOW_SECONDS]
    if len(recent) >= STARTS:
        file.unlink()  # the next start is a person's, or the next login's
        raise CrashLoop(
            f"sectune was started {len(recent)} times within {WINDOW_SECONDS / 60:.0f} minutes and ended "
            "each time. It stays down now. What was wrong is written above and in `sectune logs`; "
            "ask `sectune doctor`, then: sectune start"
        )
    files.write_json(file, [*recent, clock()])
    daemon()
    file.unlink(missing_ok=True)


def _starts(file: Path) -> list[float]:
    try:
        found = files.read_json(file)
    except (FileNotFoundError, ValueError):  # torn by a crash: counting begins anew
        return []
    return [float(moment) for moment in found if isinstance(moment, int | float)] if found else []
