"""A throw-away home: one folder that holds all that a daemon reads and writes."""

from __future__ import annotations

from pathlib import Path


class ThrowAwayHome:
    """Where things are below one folder.

    Args:
        home: The folder.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.config = home / "config.yaml"
        self.models_dir = home / "models"
        self.inbox = home / "inbox"
        self.state = home / "state"
        self.output = home / "daemon.out"  # what the daemon prints
