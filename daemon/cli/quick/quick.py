"""The way past typer for `status` and `run`: to answer at once, and to idle small.

Only where a snapshot of the settings is still true; otherwise, and for every other word, the ordinary way
is taken, which calls the same functions (`show_status`, `run_daemon`) and says what is wrong.
"""

from __future__ import annotations

import os
import sys

from config.snapshot import recall

TYPE_CHECKING = False  # see config/cache.py
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from daemon.cli.quick.status import StatusSources

AGAIN = "_SECTUNE_AGAIN"


def answer(words: Sequence[str]) -> int | None:
    """The exit code, if the command was one of these; None if the ordinary way is to be taken."""
    if tuple(words) not in (("status",), ("status", "--json"), ("run",)) or "_SECTUNE_COMPLETE" in os.environ:
        return None
    snapshot = recall()
    if snapshot is None:
        return None
    if words[0] == "run":
        return _run(snapshot)
    from daemon.cli.quick import status

    return status.show_status(_status_sources(snapshot["settings"]), len(words) > 1)


def re_exec(load: Callable[[], object]) -> None:
    """Have this process start again, once a snapshot spares it what checked the settings (20 MB).

    Same process id, same arguments; it returns where the second start would go the ordinary way again.

    Args:
        load: Loads the settings and leaves a snapshot of them.
    """
    if sys.orig_argv[-1:] != ["run"] or AGAIN in os.environ:
        return
    try:
        load()
    except Exception:  # the ordinary way meets it again, and counts it
        return
    snapshot = recall()
    if snapshot is None or not _enough(snapshot):
        return
    os.environ[AGAIN] = "1"
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _enough(snapshot: dict[str, Any]) -> bool:
    # A shared queue's address is in no snapshot.
    return bool(snapshot["settings"]["queue"]["storage"] == "sqlite")


def _status_sources(settings: dict[str, Any]) -> StatusSources:
    from daemon.cli.quick.status import StatusSources

    paths = settings["paths"]
    reserve = settings["disk"]["reserve_mb"] * 1_000_000
    return StatusSources(paths["inbox"], paths["models_dir"], paths["state_dir"], reserve)


def _run(snapshot: dict[str, Any]) -> int | None:
    if not _enough(snapshot):
        return None
    from config.snapshot import Light
    from daemon.cli.quick.run import run_daemon

    return run_daemon(lambda: Light(snapshot["settings"], snapshot["version"]).as_settings)
