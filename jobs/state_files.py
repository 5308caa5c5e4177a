"""The name of everything below the daemon's state folder, in one place.

Nothing heavy is imported: `sectune status` goes through this file, and joins the names itself.
"""

from __future__ import annotations

TYPE_CHECKING = False  # typing and pathlib take as long to import as Python takes to start
if TYPE_CHECKING:
    from pathlib import Path

DAEMON_LOCK = "daemon.lock"
LEDGER = "inbox.db"
QUEUE = "queue.db"
LOGS, DAEMON_LOG, RUN_LOGS = "logs", "daemon.log", "runs"
STARTS_FILE = "starts.json"  # below the platform's own state folder, wherever the settings put ours


class StateFiles:
    """Where each thing is that the daemon keeps for itself.

    Args:
        folder: The state folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def daemon_lock(self) -> Path:
        """Held by the daemon for life; who holds it is in it."""
        return self.folder / DAEMON_LOCK

    @property
    def device_lock(self) -> Path:
        """One device, one lock: held by the child that computes on it."""
        return self.folder / "device.lock"

    @property
    def intake_lock(self) -> Path:
        """Held while a delivery is put together or recovered."""
        return self.folder / "intake.lock"

    @property
    def ledger(self) -> Path:
        """The inbox ledger (SQLite)."""
        return self.folder / LEDGER

    @property
    def queue(self) -> Path:
        """The queue of this machine (SQLite)."""
        return self.folder / QUEUE

    @property
    def staging(self) -> Path:
        """Copies of accepted files whose delivery has not become a run yet."""
        return self.folder / "staging"

    @property
    def logs(self) -> Path:
        """All logs."""
        return self.folder / LOGS

    @property
    def daemon_log(self) -> Path:
        """The daemon's own log."""
        return self.logs / DAEMON_LOG

    @property
    def pull_log(self) -> Path:
        """The log of `sectune models pull`."""
        return self.logs / "pull.log"

    def run_log(self, run_id: str) -> Path:
        """One run's log; its children write to it, too."""
        return self.logs / RUN_LOGS / f"{run_id}.log"

    @property
    def backups(self) -> Path:
        """Former files of the agent."""
        return self.folder / "backups"

    @property
    def evaluations(self) -> Path:
        """What `sectune evaluate` has measured, so that a second call goes on."""
        return self.folder / "evaluations"

    @property
    def pulls(self) -> Path:
        """The work folders of `sectune models pull`, one a model."""
        return self.folder / "pull"
