"""Checks of the folders: inbox, state, models, space, and what lies in them."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from config.load import Loaded
from daemon.doctor.check import CheckResult, Checks
from jobs import base_models
from jobs.datasets.public.source import sources_of
from jobs.errors import OperatorError

NEEDED_GB = 20
GUARDED = ("Desktop", "Documents", "Downloads")
SYNCED = ("Library/Mobile Documents", "Library/CloudStorage", "Dropbox", "OneDrive", "Google Drive")


def settings_file(loaded: Loaded, _: Path) -> CheckResult:
    """Nobody else may write the settings: they name programs that run as the user."""
    file = loaded.user_file
    if not file.exists():
        return CheckResult("settings", True, f"{file} is not there; the defaults hold", "", "")
    mode = file.stat().st_mode & 0o777
    return CheckResult(
        "settings",
        mode & 0o022 == 0,
        f"{file} has mode {mode:o}",
        "Whoever can write it can have programs run as you (notify.command).",
        f"chmod go-w {shlex.quote(str(file))}",
    )


def state_folder(_: Loaded, state: Path) -> CheckResult:
    """Queue, ledger and logs are for their owner's eyes."""
    if not state.exists():
        return CheckResult("state", True, f"{state} will be made", "", "")
    mode = state.stat().st_mode & 0o777
    return CheckResult(
        "state",
        mode & 0o077 == 0 and os.access(state, os.W_OK),
        f"{state} has mode {mode:o}",
        "Others could read your findings, or the daemon could not write.",
        f"chmod 700 {shlex.quote(str(state))}",
    )


def inbox(loaded: Loaded, _: Path) -> CheckResult:
    """The inbox can be read."""
    folder = loaded.settings.paths.inbox
    why = "Reports are dropped there."
    try:
        os.scandir(folder).close()  # macOS lets a guarded folder look readable, and refuses only this
    except FileNotFoundError:
        return CheckResult("inbox", True, f"{folder} will be made", "", "")
    except NotADirectoryError:
        return CheckResult(
            "inbox", False, f"{folder} is not a folder", why, "Move it away, or set paths.inbox."
        )
    except OSError as error:
        seen = f"{folder} cannot be read: {error.strerror}"
        return CheckResult("inbox", False, seen, why, f"chmod u+rx {shlex.quote(str(folder))}")
    return CheckResult("inbox", True, str(folder), "", "")


def privacy(loaded: Loaded, _: Path) -> CheckResult:
    """The inbox is not where macOS guards it from agents."""
    folder = loaded.settings.paths.inbox
    guarded = sys.platform == "darwin" and any(
        (Path.home() / name) in (folder, *folder.parents) for name in GUARDED
    )
    return CheckResult(
        "privacy",
        not guarded,
        f"{folder} is guarded by macOS" if guarded else "the inbox is not in a guarded folder",
        "A LaunchAgent may not read Desktop, Documents and Downloads.",
        "Set paths.inbox to a folder such as ~/sectune/inbox.",
    )


def models_folder(loaded: Loaded, _: Path) -> CheckResult:
    """Runs and models can be written."""
    folder = loaded.settings.paths.models_dir
    nearest = _nearest(folder)
    return CheckResult(
        "models",
        nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK),
        str(folder) if folder.exists() else f"{folder} will be made",
        "Runs and models are written there.",
        f"chmod u+rwx {shlex.quote(str(nearest))}, or set paths.models_dir.",
    )


def synced(loaded: Loaded, state: Path) -> CheckResult:
    """State and models are not in a folder that a cloud service moves about."""
    roots = [Path.home() / name for name in SYNCED]
    found = [
        str(folder)
        for folder in (state, loaded.settings.paths.models_dir)
        if any(root in (folder, *folder.parents) for root in roots)
    ]
    return CheckResult(
        "cloud folders",
        not found,
        f"in a synchronised folder: {', '.join(found)}" if found else "none of our folders is synchronised",
        "A cloud service copies gigabytes away, replaces files by placeholders and breaks locks.",
        "Set paths.state_dir and paths.models_dir to folders on this disk only.",
    )


def disk(loaded: Loaded, _: Path) -> CheckResult:
    """There is room for a run."""
    folder = _nearest(loaded.settings.paths.models_dir)
    free = shutil.disk_usage(folder).free / 1e9
    return CheckResult(
        "disk",
        free >= NEEDED_GB,
        f"{free:.0f} GB free at {folder}",
        f"A run of a 1B model needs about {NEEDED_GB} GB.",
        "Make room, or set paths.models_dir to another disk.",
    )


def base_model(loaded: Loaded, _: Path) -> CheckResult:
    """The model that is tuned is complete."""
    name = loaded.settings.base_model.name
    try:
        folder = base_models.locate(loaded.settings.paths.models_dir / "base", name)
    except OperatorError as error:
        return CheckResult("base model", False, error.message, "It is what gets tuned.", error.remedy)
    return CheckResult("base model", True, f"{folder} is complete", "", "")


def sources(loaded: Loaded, _: Path) -> CheckResult:
    """Public data that is said to be on this machine is there."""
    why = "Stage 1 is made of them."
    try:
        used = sources_of(loaded.settings.datasets)
    except OperatorError as error:
        return CheckResult("data sources", False, error.message, why, error.remedy)
    missing = [
        f"datasets.sources.{source.name}.source"
        for source in used
        if source.location.startswith(("~", "/", ".")) and not Path(source.location).expanduser().exists()
    ]
    return CheckResult(
        "data sources",
        not missing,
        f"not there: {', '.join(missing)}" if missing else ", ".join(source.location for source in used),
        why,
        "Correct the setting; a Hub id is downloaded when it is first used.",
    )


def _nearest(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


CHECKS: Checks = (
    settings_file,
    state_folder,
    inbox,
    privacy,
    models_folder,
    synced,
    disk,
    base_model,
    sources,
)
