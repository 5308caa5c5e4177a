"""What every command needs: the settings and where things are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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
    def ledger_file(self) -> Path:
        """Where the inbox ledger is, or will be."""
        return self.state / "inbox.db"

    @property
    def queue_file(self) -> Path:
        """Where the queue is, or will be."""
        return self.state / "queue.db"

    @property
    def has_queue(self) -> bool:
        """Whether there is a queue to look at; looking creates none."""
        return self.loaded.settings.queue.storage != "sqlite" or self.queue_file.exists()

    @property
    def ledger(self) -> Ledger:
        """The inbox ledger; it is created."""
        from daemon.inbox.ledger import Ledger
        from jobs.fs.files import private_folder

        private_folder(self.state)
        return Ledger(self.ledger_file)

    @property
    def queue(self) -> Queue:
        """The queue, to ring and to look; it is created."""
        from jobs.fs.files import private_folder
        from jobs.queue import Queue

        private_folder(self.state)
        return Queue(self.queue_file, settings=self.loaded.settings.queue)

    @property
    def view(self) -> View:
        """Where `status` looks."""
        from daemon.cli.present import View

        paths, reserve = self.loaded.settings.paths, self.loaded.settings.disk.reserve_mb * 1_000_000
        return View(str(paths.inbox), str(paths.models_dir), str(self.state), reserve)

    @property
    def seen(self) -> Ledger | None:
        """The inbox ledger, to look; None if nothing was ever seen. Looking creates nothing."""
        return self.ledger if self.ledger_file.exists() else None

    def daemon(self) -> str | None:
        """What the running daemon says of itself; None if none runs."""
        from jobs.fs.files import lock_holder

        return lock_holder(self.state / "daemon.lock")

    def run_log(self, run_id: str) -> Path:
        """A run's log."""
        return self.state / "logs" / "runs" / f"{run_id}.log"


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
