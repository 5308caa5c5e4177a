"""Checks of this machine: each with what was seen, why it matters and the exact fix."""

from __future__ import annotations

from pathlib import Path

from config.load import Loaded
from daemon.doctor import folders, machine, running
from daemon.doctor.check import CheckResult, Look

CHECKS = (*machine.CHECKS, *folders.CHECKS, *running.CHECKS)


def examine(loaded: Loaded, state: Path) -> list[CheckResult]:
    """Make every check; nothing is created or changed.

    Args:
        loaded: The settings.
        state: The state folder.
    """
    return [_run_check(check, loaded, state) for check in CHECKS]


def _run_check(check: Look, loaded: Loaded, state: Path) -> CheckResult:
    try:
        return check(loaded, state)
    except OSError as error:  # a folder that may not even be looked at; the other checks go on
        name = getattr(check, "__name__", "check").replace("_", " ")
        return CheckResult(
            name,
            False,
            f"{error.strerror}: {error.filename}",
            "It could not even be looked at.",
            "Give yourself the permission (on macOS: Full Disk Access for the terminal), then look again.",
        )
