"""Checks of this machine: each with what was seen, why it matters and the exact fix."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from config.load import Loaded
from jobs import base_models, files
from jobs.errors import OperatorError

NEEDED_GB = 20
GUARDED = ("Desktop", "Documents", "Downloads")


@dataclass(frozen=True)
class Check:
    """One check's outcome."""

    id: str
    passed: bool
    seen: str
    why: str
    fix: str

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return asdict(self)


def examine(loaded: Loaded, state: Path) -> list[Check]:
    """Make every check.

    Args:
        loaded: The settings.
        state: The state folder.
    """
    checks: tuple[Callable[[Loaded, Path], Check], ...] = (
        _python,
        _mlx,
        _daemon,
        _state,
        _inbox,
        _inbox_guard,
        _disk,
        _base_model,
        _sources,
        _preload,
    )
    return [check(loaded, state) for check in checks]


def _python(_: Loaded, __: Path) -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "python",
        sys.version_info >= (3, 11),
        f"Python {version}",
        "sectune needs 3.11 or newer.",
        "Install a newer Python.",
    )


def _mlx(_: Loaded, __: Path) -> Check:
    # find_spec looks without importing: this process stays free of mlx.
    missing = [
        name
        for name in ("mlx", "mlx_lm", "datasets", "transformers")
        if importlib.util.find_spec(name) is None
    ]
    seen = (
        f"missing: {', '.join(missing)}"
        if missing
        else "mlx, mlx_lm, datasets and transformers are installed"
    )
    return Check(
        "libraries",
        not missing,
        seen,
        "The children train and read data with them.",
        "Install sectune again, with its dependencies.",
    )


def _daemon(_: Loaded, state: Path) -> Check:
    holder = files.lock_holder(state / "daemon.lock")
    return Check(
        "daemon",
        holder is not None,
        f"running: {holder}" if holder else "not running",
        "Without it nothing in the inbox is seen.",
        "sectune run",
    )


def _state(_: Loaded, state: Path) -> Check:
    if not state.exists():
        return Check("state", True, f"{state} will be made", "", "")
    mode = state.stat().st_mode & 0o777
    return Check(
        "state",
        mode & 0o077 == 0,
        f"{state} has mode {mode:o}",
        "Others could read your findings.",
        f"chmod 700 '{state}'",
    )


def _inbox(loaded: Loaded, _: Path) -> Check:
    inbox = loaded.settings.paths.inbox
    why = "Reports are dropped there."
    try:
        os.scandir(inbox).close()  # macOS lets a guarded folder look readable, and refuses only this
    except FileNotFoundError:
        return Check("inbox", True, f"{inbox} will be made", "", "")
    except NotADirectoryError:
        return Check("inbox", False, f"{inbox} is not a folder", why, "Move it away, or set paths.inbox.")
    except OSError as error:
        return Check(
            "inbox", False, f"{inbox} cannot be read: {error.strerror}", why, f"chmod u+rx '{inbox}'"
        )
    return Check("inbox", True, str(inbox), "", "")


def _inbox_guard(loaded: Loaded, _: Path) -> Check:
    inbox = loaded.settings.paths.inbox
    guarded = sys.platform == "darwin" and any(
        (Path.home() / name) in (inbox, *inbox.parents) for name in GUARDED
    )
    seen = f"{inbox} is guarded by macOS" if guarded else "the inbox is not in a guarded folder"
    return Check(
        "privacy",
        not guarded,
        seen,
        "A LaunchAgent may not read Desktop, Documents and Downloads.",
        "Set paths.inbox to a folder such as ~/sectune/inbox.",
    )


def _disk(loaded: Loaded, _: Path) -> Check:
    folder = loaded.settings.paths.models_dir
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    return Check(
        "disk",
        free >= NEEDED_GB,
        f"{free:.0f} GB free at {folder}",
        f"A run of a 1B model needs about {NEEDED_GB} GB.",
        "Make room, or set paths.models_dir to another disk.",
    )


def _base_model(loaded: Loaded, _: Path) -> Check:
    name = loaded.settings.base_model.name
    try:
        folder = base_models.locate(loaded.settings.paths.models_dir / "base", name)
    except OperatorError as error:
        return Check("base model", False, error.message, "It is what gets tuned.", error.remedy)
    return Check("base model", True, f"{folder} is complete", "", "")


def _sources(loaded: Loaded, _: Path) -> Check:
    datasets = loaded.settings.datasets
    local = {"crossvul": datasets.crossvul.source, "cvefixes": datasets.cvefixes.source}
    missing = [
        f"datasets.{name}.source"
        for name, source in local.items()
        if source.startswith(("~", "/", ".")) and not Path(source).expanduser().exists()
    ]
    seen = f"not there: {', '.join(missing)}" if missing else f"{', '.join(local.values())}"
    return Check(
        "data sources",
        not missing,
        seen,
        "Stage 1 is made of them.",
        "Correct the setting; a Hub id is downloaded when it is first used.",
    )


def _preload(loaded: Loaded, _: Path) -> Check:
    library = loaded.settings.training.preload_library
    good = library is None or library.exists()
    return Check(
        "preload",
        good,
        str(library or "no library is preloaded"),
        "The children would not start.",
        "Correct training.preload_library, or set it to null.",
    )
