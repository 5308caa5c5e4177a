"""The runs of this machine: create, open, list, the latest completed; the only writer of manifests."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from config.load import SettingsError, complete
from config.settings import Settings
from jobs import files
from jobs.errors import NotFoundError, OperatorError
from jobs.runs.folder import MANIFEST, RunFolder
from jobs.runs.manifest import (
    VERSION,
    Input,
    Manifest,
    Provenance,
    Stage,
    Stage1Dependency,
    Stage2,
    Step,
    now,
)

PREFIX = "webauthn-security-sequential"


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

    def event(self, event: str, **facts: Any) -> None:
        """Append what happened to events.jsonl."""
        files.append_jsonl(self.folder.events, {"at": now(), "event": event, **facts})

    def reload(self) -> None:
        """Read the manifest again."""
        self.manifest = read_manifest(self.folder.manifest)

    @contextmanager
    def driving(self, holder: str) -> Iterator[None]:
        """Be the only one who changes this run.

        Raises:
            files.LockBusy: Somebody else drives it.
        """
        with files.FileLock(self.folder.driver_lock, holder):
            for leftover in files.temporaries(self.folder.root, MANIFEST):  # a killed driver's
                leftover.unlink()
            self.reload()
            yield


@dataclass(frozen=True)
class Delivery:
    """The reports that arrived together."""

    id: str
    inputs: tuple[Input, ...]


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
        files.private_folder(self.root)
        draft = files.temporary_beside(self.root / "run")
        moment = datetime.now()
        try:
            folder = RunFolder(draft)
            for path in (folder.reports, folder.settings.parent, folder.validation(1).parent):
                files.private_folder(path)
            fill(folder)
            files.write_json(folder.settings, settings.model_dump(mode="json"))
            return self._publish(
                folder, lambda run_id: _first_manifest(run_id, settings, delivery, steps), moment
            )
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

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
            return Run(RunFolder(exact.parent), read_manifest(exact))
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
                runs.append(Run(RunFolder(path), read_manifest(path / MANIFEST)))
            except OperatorError as error:
                unreadable.append(Unreadable(path, error.message))
        return sorted(runs, key=_age), unreadable

    def of_delivery(self, delivery: str) -> Run | None:
        """The run that was made of a delivery, if one was."""
        return next((run for run in self.list()[0] if run.manifest.delivery == delivery), None)

    def latest_completed(self) -> Run | None:
        """The completed run with the newest manifest timestamp."""
        completed = [run for run in self.list()[0] if run.manifest.status == "completed"]
        return completed[-1] if completed else None


def _age(run: Run) -> tuple[datetime, str]:
    return datetime.fromisoformat(run.manifest.timestamp), run.run_id


def read_manifest(path: Path) -> Manifest:
    """Read and check one manifest.

    Raises:
        OperatorError: It is not a manifest of version 2.0.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        first = " ".join(str(error).split())[:300]
        raise OperatorError(f"{path} is not a readable manifest 2.0: {first}") from error


def _first_manifest(run_id: str, settings: Settings, delivery: Delivery, steps: Sequence[str]) -> Manifest:
    moment = now()
    return Manifest(
        version=VERSION,
        run_id=run_id,
        timestamp=moment,
        updated_at=moment,
        base_model=settings.base_model.name,
        delivery=delivery.id,
        inputs=list(delivery.inputs),
        steps=[Step(name=name) for name in steps],
        stage1=Stage(**_promised_paths(1)),
        stage2=Stage2(
            **_promised_paths(2),
            final_model_path="./final-model",
            stage1_dependencies=Stage1Dependency(adapter_path="./stage1/adapters"),
        ),
        final_model_path="./final-model",
        provenance=provenance(settings),
    )


def _promised_paths(stage: int) -> dict[str, Any]:
    folder = RunFolder(Path())
    paths = folder.stage(stage)
    return {
        "adapters_path": folder.relative(paths.adapters),
        "training_data_path": folder.relative(paths.training_data),
        "evaluation_results_path": folder.relative(paths.evaluation),
        "validation_path": folder.relative(folder.validation(stage)),
    }


def provenance(settings: Settings) -> Provenance:
    """What is known about the makers of a run before its first step."""
    return Provenance(
        sectune=_version("sectune") or "unknown",
        python=platform.python_version(),
        mlx=_version("mlx"),
        mlx_lm=_version("mlx-lm"),
        settings_sha256=files.sha256_json(settings.model_dump(mode="json", exclude={"paths"})),
        seed=settings.seed,
        platform=f"{platform.system()} {platform.machine()}",
    )


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
