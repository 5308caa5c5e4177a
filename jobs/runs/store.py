"""The runs of this machine: create, open, list, the latest completed; the only writer of manifests."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.clock import now
from jobs.errors import NotFoundError, OperatorError
from jobs.fs import files
from jobs.runs.delivery import Delivery
from jobs.runs.folder import MANIFEST, RunFolder
from jobs.runs.status import UNFINISHED, RunStatus
from jobs.runs.summaries import leave, overview

if TYPE_CHECKING:  # pydantic is 12 MB; an idle daemon has no manifest to read
    from config.settings import Settings
    from jobs.runs.manifest import Manifest

PREFIX = "webauthn-security-sequential"
DRAFT = "run"
DRAFT_SECONDS = 60.0  # far longer than from a draft's first folder to its lock


class Run:
    """An open run: its folder and its manifest. Only the holder of `driving()` may change it."""

    def __init__(self, folder: RunFolder, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def run_id(self) -> str:
        """The run's id, which is also its folder's name."""
        return self.manifest.run_id

    def settings(self) -> Settings:
        """The settings this run was created with; the defaults for those that did not exist then.

        Raises:
            OperatorError: They cannot be read, or this version of sectune does not know them.
        """
        from config.errors import SettingsError
        from config.load import complete

        try:
            return complete(files.read_json(self.folder.settings))
        except (OSError, ValueError, SettingsError) as error:
            raise OperatorError(
                f"The run's settings in {self.folder.settings} cannot be used: {error}",
                "Correct that file, then retry the run.",
            ) from error

    def save(self) -> None:
        """Write the manifest, atomically."""
        self.manifest.updated_at = now()
        files.write_text(self.folder.manifest, self.manifest.model_dump_json(indent=2) + "\n")
        leave(str(self.folder.root), self.manifest)

    def event(self, event: str, **facts: Any) -> None:
        """Append what happened to events.jsonl."""
        files.append_jsonl(self.folder.events, {"at": now(), "event": event, **facts})

    def reload(self) -> None:
        """Read the manifest again."""
        self.manifest = _read(self.folder.manifest)

    @contextmanager
    def driving(self, holder: str) -> Iterator[None]:
        """Be the only one who changes this run.

        Raises:
            files.LockBusy: Somebody else drives it.
        """
        with files.FileLock(self.folder.driver_lock, holder):
            for leftover in self._left_by_a_killed_driver():
                leftover.unlink()
            self.reload()
            yield

    def _left_by_a_killed_driver(self) -> Iterator[Path]:
        yield from files.temporaries(self.folder.root, MANIFEST)
        own = (self.folder.findings, self.folder.validation(1), self.folder.settings)
        for folder in (path.parent for path in own):
            yield from files.temporaries(folder) if folder.is_dir() else ()


@dataclass(frozen=True)
class Unreadable:
    """A run folder whose manifest cannot be read, and why."""

    folder: Path
    reason: str


class RunStore:
    """All runs below one models folder.

    Args:
        models_dir: The folder that holds `training-runs/`.
    """

    def __init__(self, models_dir: Path) -> None:
        self.models_dir = models_dir
        self.root = models_dir / "training-runs"

    def create(
        self,
        settings: Settings,
        delivery: Delivery,
        steps: Sequence[str],
        fill: Callable[[RunFolder], None],
    ) -> Run:
        """Create a run; it appears with its manifest, its settings and its reports, or not at all.

        Args:
            settings: What the run is to be made with; kept with the run.
            delivery: Its id and what was in it.
            steps: The chain's step names, in order.
            fill: Puts the reports into the new folder before it appears.
        """
        from jobs.runs.first import WHERE, first_manifest

        files.private_folder(self.root)
        draft = files.temporary_beside(self.root / DRAFT)
        moment = datetime.now()
        try:
            folder = RunFolder(files.private_folder(draft))
            # Held so that no other machine takes it for a killed maker's, nor drives it before it is whole.
            with files.FileLock(folder.driver_lock, f"pid {os.getpid()}, which creates it"):
                for path in (folder.reports, folder.settings.parent, folder.validation(1).parent):
                    files.private_folder(path)
                fill(folder)
                files.write_json(folder.settings, settings.model_dump(mode="json", exclude={"queue": WHERE}))
                return self._publish(
                    folder, lambda run_id: first_manifest(run_id, settings, delivery, steps), moment
                )
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def sweep(self) -> None:
        """Remove drafts of runs that were never created: whoever made them was killed.

        Another machine with the same folder may be creating a run, or sweeping, at this moment.
        """
        if self.root.is_dir():
            for draft in files.temporaries(self.root, DRAFT):
                with suppress(FileNotFoundError):
                    if _is_abandoned(draft):
                        shutil.rmtree(draft)

    def _publish(self, draft: RunFolder, manifest: Callable[[str], Manifest], moment: datetime) -> Run:
        # rename() onto a folder that is not empty fails, so two runs of one second cannot share an id.
        stem = f"{PREFIX}-{moment:%Y%m%d_%H%M%S}"
        for number in range(1, 10_000):
            run_id = stem if number == 1 else f"{stem}-{number}"
            if (self.root / run_id).exists():
                continue
            first = manifest(run_id)
            files.write_text(draft.manifest, first.model_dump_json(indent=2) + "\n")
            files.fsync_below(draft.root)
            try:
                draft.root.rename(self.root / run_id)
            except OSError:
                if (self.root / run_id).exists():
                    continue
                raise
            files.fsync_folder(self.root)
            return Run(RunFolder(self.root / run_id), first)
        raise OperatorError(f"No free run id below {self.root} for {stem}.")

    def open(self, run_id: str) -> Run:
        """Open a run by its id, or by an unambiguous beginning or end of it.

        Raises:
            NotFoundError: There is no such run, or more than one.
        """
        exact = self.root / run_id / MANIFEST
        if exact.exists() and Path(run_id).name == run_id:
            return Run(RunFolder(exact.parent), _read(exact))
        matches = [name for name in self.ids() if name.startswith(run_id) or name.endswith(run_id)]
        if len(matches) == 1:
            return self.open(matches[0])
        problem = f"{len(matches)} runs match '{run_id}'" if matches else f"There is no run '{run_id}'"
        raise NotFoundError(f"{problem} below {self.root}.", "List them with: sectune runs")

    def ids(self) -> list[str]:
        """Every run id that has a manifest, in no promised order."""
        if not self.root.is_dir():
            return []
        with os.scandir(self.root) as entries:
            return [
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and Path(entry.path, MANIFEST).is_file()
            ]

    def list(self) -> tuple[list[Run], list[Unreadable]]:
        """Every run, oldest first by its manifest's timestamp, and every folder that cannot be read."""
        runs, unreadable = [], []
        for run_id in self.ids():
            path = self.root / run_id
            try:
                runs.append(Run(RunFolder(path), _read(path / MANIFEST)))
            except OperatorError as error:
                unreadable.append(Unreadable(path, error.message))
        return sorted(runs, key=_age), unreadable

    def unfinished(self) -> Sequence[Run]:
        """The unfinished runs, oldest first; the manifests of the others are not read again."""
        ids = [summary["run_id"] for summary in overview(str(self.root)).unfinished]
        return [run for run in map(self._still_there, ids) if run]

    def _still_there(self, run_id: str) -> Run | None:
        try:
            run = self.open(run_id)
        except (NotFoundError, OperatorError):  # taken away, or broken, since it was looked at
            return None
        return run if run.manifest.status in UNFINISHED else None

    def of_delivery(self, delivery: str) -> Run | None:
        """The run that was made of a delivery, if one was."""
        return next((run for run in self.list()[0] if run.manifest.delivery == delivery), None)

    def latest_completed(self) -> Run | None:
        """The completed run with the newest manifest timestamp."""
        completed = [run for run in self.list()[0] if run.manifest.status is RunStatus.COMPLETED]
        return completed[-1] if completed else None


def _is_abandoned(draft: Path) -> bool:
    lock = RunFolder(draft).driver_lock
    if lock.exists() and lock.stat().st_size:
        return files.lock_holder(lock) is None
    return time.time() - draft.stat().st_mtime > DRAFT_SECONDS


def _age(run: Run) -> tuple[datetime, str]:
    return datetime.fromisoformat(run.manifest.timestamp), run.run_id


def _read(path: Path) -> Manifest:
    from jobs.runs.manifest import read_manifest

    return read_manifest(path)
