"""Checks of this machine: each with what was seen, why it matters and the exact fix."""

from __future__ import annotations

from pathlib import Path

from config.load import Loaded
from daemon.doctor import folders, machine, running
from daemon.doctor.check import Check, Look

CHECKS = (*machine.CHECKS, *folders.CHECKS, *running.CHECKS)


def examine(loaded: Loaded, state: Path) -> list[Check]:
    """Make every check; nothing is created or changed.

    Args:
        loaded: The settings.
        state: The state folder.
    """
    return [_made(check, loaded, state) for check in CHECKS]


def _made(check: Look, loaded: Loaded, state: Path) -> Check:
    try:
        return check(loaded, state)
    except OSError as error:  # a folder that may not even be looked at; the other checks go on
        name = getattr(check, "__name__", "check").replace("_", " ")
        return Check(
            name,
            False,
            f"{error.strerror}: {error.filename}",
            "It could not even be looked at.",
            "Give yourself the permission (on macOS: Full Disk Access for the terminal), then look again.",
        )
