"""Where the agent's file is, or would be. Nothing heavy is imported for this answer: `status` asks."""

# As in config/cache.py, no pathlib.
# ruff: noqa: PTH111, PTH117, PTH118
from __future__ import annotations

import os
import sys


def launch_agents() -> str:
    """The folder of the user's LaunchAgents."""
    return os.path.expanduser("~/Library/LaunchAgents")


def units() -> str:
    """The folder of the user's systemd units."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    home = configured if os.path.isabs(configured) else os.path.expanduser("~/.config")
    return os.path.join(home, "systemd", "user")


def agent_path() -> str:
    """The agent's file on this machine."""
    if sys.platform == "darwin":
        return os.path.join(launch_agents(), "io.sectune.agent.plist")
    return os.path.join(units(), "sectune.service")
