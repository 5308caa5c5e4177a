"""The machine that runs are driven on: its folders, and when a step must stop or leave the device alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from jobs.runs.waiting import WaitingForPower
from jobs.state_files import StateFiles


@dataclass(frozen=True)
class Host:
    """What a step may ask of the machine it runs on.

    Args:
        models_dir: Base models, runs and certified models.
        state_dir: Queue, locks and logs.
        stopping: True once the daemon is stopping.
        pause_reason: Why the device is not to be used now; None if it may be used.
        reserve_bytes: What stays free on every disk.
    """

    models_dir: Path
    state_dir: Path
    stopping: Callable[[], bool] = field(default=lambda: False)
    pause_reason: Callable[[], WaitingForPower | None] = field(default=lambda: None)
    reserve_bytes: int = 0

    @property
    def device_lock(self) -> Path:
        """One device, one lock."""
        return StateFiles(self.state_dir).device_lock

    @property
    def base_models(self) -> Path:
        """Base models, shared by all runs."""
        return self.models_dir / "base"

    @property
    def registry(self) -> Path:
        """Certified models."""
        return self.models_dir / "certified"

    def run_log(self, run_id: str) -> Path:
        """One run's log."""
        return StateFiles(self.state_dir).run_log(run_id)
