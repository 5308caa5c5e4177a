"""`sectune run`: the daemon in the foreground."""

from __future__ import annotations

import sys

from daemon.service.crash_loop import CrashLoop, run_guarded
from daemon.terminal import note

TYPE_CHECKING = False  # see config/cache.py
if TYPE_CHECKING:
    from collections.abc import Callable

    from config.settings import Settings


def run_daemon(settings: Callable[[], Settings]) -> int:
    """Run until SIGTERM or Ctrl-C.

    Args:
        settings: Loads them; a start that fails over wrong settings counts as one.
    """

    def supervise() -> None:
        loaded = settings()
        _structlog_without_rich()
        from daemon.supervisor import Supervisor

        Supervisor(loaded).run()

    try:
        run_guarded(supervise)
    except CrashLoop as loop:  # exit code 0: launchd takes any other for a reason to start again
        note(str(loop))
    return 0


def _structlog_without_rich() -> None:
    """structlog imports rich (5 MB) if it can, for tracebacks in colour; our lines are JSON."""
    if "rich" in sys.modules:
        return
    modules: dict[str, object] = sys.modules  # type: ignore[assignment]
    modules["rich"] = None  # how Python marks a module that cannot be imported
    try:
        import structlog  # noqa: F401
    finally:
        del modules["rich"]
