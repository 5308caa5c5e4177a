"""What a step gets: the run, its settings, and the few things it may do to the outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.settings import Settings
from jobs import children, control
from jobs.errors import Held
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import Manifest, Progress, now
from jobs.runs.store import Run

DEVICE_LOCK = "device.lock"


class Skip(Exception):
    """The step has nothing to do; the reason goes into the manifest."""


@dataclass(frozen=True)
class Place:
    """Where the daemon keeps its state, and how a step learns that it should stop.

    Args:
        models_dir: Base models, runs and certified models.
        state_dir: Queue, locks and logs.
        stopping: True once the daemon is stopping.
        hold: Why the device is not to be used now, in words; None if it may be used.
    """

    models_dir: Path
    state_dir: Path
    stopping: Callable[[], bool] = field(default=lambda: False)
    hold: Callable[[], str | None] = field(default=lambda: None)

    @property
    def device_lock(self) -> Path:
        """One device, one lock."""
        return self.state_dir / DEVICE_LOCK

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
        return self.state_dir / "logs" / "runs" / f"{run_id}.log"


@dataclass(frozen=True)
class Job:
    """One step of one run, while it is being done."""

    run: Run
    settings: Settings
    place: Place
    step: str

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return self.run.folder

    @property
    def manifest(self) -> Manifest:
        """The run's manifest; `save` after a change."""
        return self.run.manifest

    def save(self) -> None:
        """Write the manifest."""
        self.run.save()

    def progress(self, facts: Mapping[str, Any]) -> None:
        """Put what a child reported into the manifest."""
        known = {key: value for key, value in facts.items() if key in Progress.model_fields}
        current = self.manifest.progress.model_dump() if self.manifest.progress.step == self.step else {}
        self.manifest.progress = Progress(**{**current, **known, "step": self.step, "updated_at": now()})
        self.save()

    def child(
        self, module: str, payload: Mapping[str, Any], device: bool = True, part: str | None = None
    ) -> dict[str, Any]:
        """Have a child process do this step's heavy part; returns its result.

        Args:
            module: The child's module.
            payload: Its request; the same request is never worked on twice.
            device: Whether it needs the device, of which there is one.
            part: A name of its own for a second child of the same step.

        Raises:
            EndChild: A person or the machine's power wants it to end now; it has ended.
        """
        work = self.folder.work(part or self.step)
        if device and (reason := self.place.hold()):
            children.end(work)
            raise Held(reason)
        task = children.Task(
            module=module,
            work=work,
            payload=payload,
            log=self.place.run_log(self.run.run_id),
            facts={"run": self.run.run_id, "step": self.step},
            device_lock=self.place.device_lock if device else None,
            preload=self.settings.training.preload_library,
        )
        return children.drive(task, self.progress, lambda: self._look(device))

    def _look(self, device: bool) -> bool:
        if self.place.stopping():
            return True
        if request := control.asked(self.folder):
            raise control.Requested(request)
        if device and (reason := self.place.hold()):
            raise Held(reason)
        return False
