"""What every command needs: the settings and where things are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.state_files import StateFiles

if TYPE_CHECKING:
    from config.load import Loaded
    from daemon.cli.present import View
    from daemon.inbox.ledger import Ledger
    from jobs.queue import Queue
    from jobs.runs.store import RunStore

config_file: Path | None = None  # set by the option --config


@dataclass(frozen=True)
class World:
    """The settings and what lies where they say."""

    loaded: Loaded
    state: Path

    @property
    def store(self) -> RunStore:
        """The runs."""
        from jobs.runs.store import RunStore

        return RunStore(self.loaded.settings.paths.models_dir)

    @property
    def files(self) -> StateFiles:
        """Where the daemon keeps what is its own."""
        return StateFiles(self.state)

    @property
    def has_queue(self) -> bool:
        """Whether there is a queue to look at; looking creates none."""
        return self.loaded.settings.queue.storage != "sqlite" or self.files.queue.exists()

    @property
    def ledger(self) -> Ledger:
        """The inbox ledger; it is created."""
        from daemon.inbox.ledger import Ledger
        from jobs.fs.files import private_folder

        private_folder(self.state)
        return Ledger(self.files.ledger)

    @property
    def queue(self) -> Queue:
        """The queue, to ring and to look; it is created."""
        from jobs.fs.files import private_folder
        from jobs.queue import Queue

        private_folder(self.state)
        return Queue(self.files.queue, settings=self.loaded.settings.queue)

    @property
    def view(self) -> View:
        """Where `status` looks."""
        from daemon.cli.present import View

        paths, reserve = self.loaded.settings.paths, self.loaded.settings.disk.reserve_mb * 1_000_000
        return View(str(paths.inbox), str(paths.models_dir), str(self.state), reserve)

    @property
    def seen(self) -> Ledger | None:
        """The inbox ledger, to look; None if nothing was ever seen. Looking creates nothing."""
        return self.ledger if self.files.ledger.exists() else None

    def daemon(self) -> str | None:
        """What the running daemon says of itself; None if none runs."""
        from jobs.fs.files import lock_holder

        return lock_holder(self.files.daemon_lock)


def world() -> World:
    """Load the settings.

    Raises:
        SettingsError: They are wrong.
    """
    from config.cache import look_of
    from config.load import load, state_dir, user_file
    from config.snapshot import remember

    before = look_of(str(config_file or user_file()))
    loaded = load(config_file)
    if config_file is None:
        remember(loaded, before)
    return World(loaded, state_dir(loaded.settings))
