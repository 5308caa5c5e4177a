"""What a step gets: the run, its settings, and the few things it may do to the outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from config.settings import Settings
from jobs import diagnosis
from jobs.children import life, parent
from jobs.children.task import Task
from jobs.clock import now
from jobs.host import Host as Host
from jobs.pipeline import control, priority
from jobs.providers.provider import Workplace
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import Manifest, Progress
from jobs.runs.store import Run, RunStore
from jobs.runs.waiting import WaitingForEarlierRun


class Skip(Exception):
    """The step has nothing to do; the reason goes into the manifest."""


@dataclass(frozen=True)
class Job:
    """One step of one run, while it is being done."""

    run: Run
    settings: Settings
    host: Host
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
        """Put what a child reported into the manifest; on a full disk, with the next change of it."""
        known = {key: value for key, value in facts.items() if key in Progress.model_fields}
        current = self.manifest.progress.model_dump() if self.manifest.progress.step == self.step else {}
        self.manifest.progress = Progress(**{**current, **known, "step": self.step, "updated_at": now()})
        try:
            self.save()
        except OSError as error:  # figures that are late are no reason to leave a child alone
            if not diagnosis.is_full(error):
                raise

    def child(
        self, module: str, payload: Struct | Mapping[str, Any], device: bool = True, part: str | None = None
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
        task = self.task(module, payload, device, part)
        if device:
            try:
                self.claim_device(alive=life.living(task.work) is not None)
            except control.MustWait:
                parent.end(task.work)
                raise
        return parent.drive(task, self.progress, lambda: self.look(device))

    def task(
        self, module: str, payload: Struct | Mapping[str, Any], device: bool = True, part: str | None = None
    ) -> Task:
        """What `child` has done, without doing it."""
        return Task(
            module=module,
            work=self.folder.work(part or self.step),
            payload=payload,
            log=self.host.run_log(self.run.run_id),
            facts={"run": self.run.run_id, "step": self.step},
            device_lock=self.host.device_lock if device else None,
            preload=self.settings.training.preload_library,
        )

    def workplace(self, device: bool) -> Workplace:
        """Where a provider may work for this step.

        Args:
            device: Whether it uses the device.
        """
        return Workplace(
            work=self.folder.work(self.step),
            log=self.host.run_log(self.run.run_id),
            facts={"run": self.run.run_id, "step": self.step},
            device_lock=self.host.device_lock if device else None,
            preload=self.settings.training.preload_library,
            stopping=lambda: self.look(device),
        )

    def claim_device(self, *, alive: bool) -> None:
        """See whether the step may have the device now.

        Args:
            alive: Its work is under way already, so that no other run goes first.

        Raises:
            MustWait: It may not.
        """
        if power := self.host.pause_reason():
            raise control.MustWait(power)
        if not alive and (first := priority.before(RunStore(self.host.models_dir), self.run)):
            raise control.MustWait(WaitingForEarlierRun(first))

    def look(self, device: bool) -> bool:
        """Whether the daemon stops; asked a few times a second while the step's work is done elsewhere.

        Raises:
            EndChild: A person or the machine's power wants the work to end now.
        """
        if self.host.stopping():
            return True
        if request := control.asked(self.folder):
            raise control.Requested(request)
        control.take_priority(self.run)
        if device and (power := self.host.pause_reason()):
            raise control.MustWait(power)
        return False
