"""What a command works with: the settings, and what lies where they say."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jobs.state_files import StateFiles

if TYPE_CHECKING:
    from config.load import Loaded
    from config.settings import Settings
    from daemon.cli.quick.status import StatusSources
    from daemon.inbox.ledger import Ledger
    from jobs.queue import Queue
    from jobs.runs.store import RunStore


class CliContext:
    """Carried by typer's context; the settings are loaded when something asks for them.

    Args:
        config_file: What the option --config names.
    """

    def __init__(self, config_file: Path | None = None) -> None:
        self.config_file = config_file

    @cached_property
    def loaded(self) -> Loaded:
        """The settings and where each came from.

        Raises:
            SettingsError: They are wrong.
        """
        from config.cache import look_of
        from config.load import load, user_file
        from config.snapshot import remember

        before = look_of(str(self.config_file or user_file()))
        loaded = load(self.config_file)
        if self.config_file is None:
            remember(loaded, before)
        return loaded

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.loaded.settings

    @cached_property
    def files(self) -> StateFiles:
        """Where the daemon keeps what is its own."""
        from config.load import state_dir

        return StateFiles(state_dir(self.settings))

    @property
    def store(self) -> RunStore:
        """The runs."""
        from jobs.runs.store import RunStore

        return RunStore(self.settings.paths.models_dir)

    @property
    def has_queue(self) -> bool:
        """Whether there is a queue to look at; looking creates none."""
        return self.settings.queue.storage != "sqlite" or self.files.queue.exists()

    @property
    def queue(self) -> Queue:
        """The queue, to send and to look; it is created."""
        from jobs.fs.files import private_folder
        from jobs.queue import Queue

        private_folder(self.files.folder)
        return Queue(self.files.queue, settings=self.settings.queue)

    @property
    def ledger(self) -> Ledger:
        """The inbox ledger; it is created."""
        from daemon.inbox.ledger import Ledger
        from jobs.fs.files import private_folder

        private_folder(self.files.folder)
        return Ledger(self.files.ledger)

    @property
    def existing_ledger(self) -> Ledger | None:
        """The inbox ledger, to look; None if nothing was ever seen. Looking creates nothing."""
        return self.ledger if self.files.ledger.exists() else None

    @property
    def status_sources(self) -> StatusSources:
        """Where `status` looks."""
        from daemon.cli.quick.status import StatusSources

        paths, reserve = self.settings.paths, self.settings.disk.reserve_mb * 1_000_000
        return StatusSources(str(paths.inbox), str(paths.models_dir), str(self.files.folder), reserve)

    def running_daemon(self) -> str | None:
        """What the running daemon says of itself; None if none runs."""
        from jobs.fs.files import lock_holder

        return lock_holder(self.files.daemon_lock)


def context_of(context: typer.Context) -> CliContext:
    """Ours, out of typer's."""
    return context.ensure_object(CliContext)
