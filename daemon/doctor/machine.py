"""Checks of the machine: Python, processor, libraries, memory, power, and what the settings start."""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import shutil
import sys
from datetime import datetime
from pathlib import Path

from config.load import Loaded
from daemon import power
from daemon.doctor.check import CheckResult, Checks
from jobs import base_models
from jobs.errors import OperatorError

LIBRARIES = ("mlx", "mlx_lm", "datasets", "transformers")
SPARE_BYTES = 2 * 10**9  # activations of short examples, optimizer, and the system itself


def python(_: Loaded, __: Path) -> CheckResult:
    """The interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    return CheckResult(
        "python",
        sys.version_info >= (3, 11),
        f"Python {version}",
        "sectune needs 3.11 or newer.",
        "Install a newer Python, then sectune with it.",
    )


def processor(_: Loaded, __: Path) -> CheckResult:
    """Whether MLX runs here: Apple silicon with a native Python, or Linux."""
    system, machine = platform.system(), platform.machine()
    good = system == "Linux" or (system == "Darwin" and machine == "arm64")
    return CheckResult(
        "processor",
        good,
        f"{system} {machine}",
        "MLX runs on Apple silicon (not under Rosetta) and on Linux.",
        "On Apple silicon, install an arm64 Python; `python -c 'import platform; print(platform.machine())'` "
        "must say arm64.",
    )


def libraries(_: Loaded, __: Path) -> CheckResult:
    """The heavy libraries; find_spec looks without importing, so this process stays free of them."""
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    return CheckResult(
        "libraries",
        not missing,
        f"missing: {', '.join(missing)}" if missing else f"{', '.join(LIBRARIES)} are installed",
        "The children train and read data with them.",
        "Install sectune again, with its dependencies.",
    )


def memory(loaded: Loaded, _: Path) -> CheckResult:
    """Whether the base model's weights fit, with room to train."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        folder = base_models.locate(
            loaded.settings.paths.models_dir / "base", loaded.settings.base_model.name
        )
    except OperatorError:
        return CheckResult("memory", True, f"{total / 1e9:.0f} GB; the base model is not here yet", "", "")
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    needed = weights + SPARE_BYTES
    return CheckResult(
        "memory",
        total >= needed,
        f"{total / 1e9:.0f} GB; the base model's weights take {weights / 1e9:.1f} GB",
        f"A training with these weights needs at least {needed / 1e9:.1f} GB; with less, the system ends it.",
        "Choose a smaller base_model.name, for example a 4-bit one.",
    )


def preload(loaded: Loaded, _: Path) -> CheckResult:
    """The library that the children are started with."""
    library = loaded.settings.training.preload_library
    return CheckResult(
        "preload",
        library is None or library.exists(),
        str(library or "no library is preloaded"),
        "The children would not start.",
        "Correct training.preload_library, or set it to null.",
    )


def hook(loaded: Loaded, _: Path) -> CheckResult:
    """The user's program that is told of a run's end."""
    command = loaded.settings.notify.command
    if command is None:
        return CheckResult("notify", True, "no program is told of a run's end", "", "")
    return CheckResult(
        "notify",
        shutil.which(command[0]) is not None,
        shlex.join(command),
        "Nobody would be told of a run's end.",
        "Set notify.command to a program that exists and may be executed, with its whole path; or to null.",
    )


def supply(loaded: Loaded, _: Path) -> CheckResult:
    """Whether power or the hour hold a training up; that is a wish of the settings and no fault."""
    reading = power.read_power()
    reason = power.reason_to_wait(loaded.settings.power, reading, datetime.now())
    if reason:
        return CheckResult("power", True, f"training waits now: {reason}", "", "")
    source = {True: "battery", False: "mains", None: "unknown supply"}[reading.on_battery]
    return CheckResult("power", True, f"{source}; training may run", "", "")


CHECKS: Checks = (python, processor, libraries, memory, preload, hook, supply)
