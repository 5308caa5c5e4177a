"""The agent's service as the commands about it need it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from config.load import PREFIX
from daemon import terminal
from daemon.cli.context import CliContext
from daemon.service import manager

if TYPE_CHECKING:
    from launchd.service import Service


def service_of(cli: CliContext) -> Service:
    """The agent under this machine's service manager; each thing that is done is told on stderr."""
    return manager.service_of(cli.loaded, cli.files.folder, terminal.note)


def note_variables_left_behind(cli: CliContext) -> None:
    """Name the settings of this shell's environment: an agent does not get them."""
    if names := sorted(name for name in os.environ if name.startswith(PREFIX)):
        terminal.note(f"These are not passed on; put them into {cli.loaded.user_file}: {', '.join(names)}")
