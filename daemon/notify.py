"""Tell a person that a run has ended or needs them: a notification of macOS, and a program of their own."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import structlog

from jobs.clock import now
from launchd.run_program import ServiceError, call

if TYPE_CHECKING:
    from config.settings import Notify
    from jobs.runs.store import Run

log = structlog.get_logger("sectune.notify")
TOLD = {
    "completed": "A new model is ready",
    "failed": "A run has failed",
    "needs_attention": "A run needs you",
}
# The words come in as arguments: a report's name inside the script would be read as AppleScript.
SCRIPT = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")
DESKTOP_SECONDS = 10.0


class Notifier:
    """Tells what became of a run.

    Args:
        settings: Whom to tell, and how long that may take.
        platform: Which system this is, as `sys.platform` has it.
    """

    def __init__(self, settings: Notify, platform: str = sys.platform) -> None:
        self.settings = settings
        self.platform = platform

    def tell_in_background(self, run: Run) -> None:
        """Tell of a run in a thread of its own: no program of a user's holds up the queue."""
        message = message_of(run)
        threading.Thread(target=self.tell, args=(message,), name="notify", daemon=True).start()

    def tell(self, message: dict[str, Any]) -> None:
        """Tell all who want to know; what fails is logged and never fatal. Paused and cancelled: nobody.

        Args:
            message: As `message_of` makes it.
        """
        title = TOLD.get(message["status"])
        if title is None:
            return
        with structlog.contextvars.bound_contextvars(run=message["run_id"]):
            if self.settings.desktop and self.platform == "darwin":
                body = f"{message['run_id']} {message['status_reason'] or ''}".strip()
                statements = [word for line in SCRIPT for word in ("-e", line)]
                self._call("the notification", ["osascript", *statements, title, body], "")
            if self.settings.command:
                text = json.dumps(message, ensure_ascii=False) + "\n"
                self._call("notify.command", list(self.settings.command), text)

    def _call(self, what: str, words: list[str], text: str) -> None:
        seconds = DESKTOP_SECONDS if words[0] == "osascript" else self.settings.timeout_seconds
        try:
            answer = call(words, seconds, text)
        except ServiceError as error:  # its remedy speaks of the agent, not of a user's program
            log.warning(f"{what} failed", error=error.message)
            return
        except OSError as error:
            log.warning(f"{what} failed", error=str(error))
            return
        if answer.code != 0:
            log.warning(f"{what} failed", error=answer.words)
        else:
            log.info(f"{what} was told", status=0)


def message_of(run: Run) -> dict[str, Any]:
    """What a user's program is told of a run, as plain JSON values."""
    manifest = run.manifest
    step = manifest.next_step()
    return {
        "event": "run_ended",
        "at": now(),
        "run_id": run.run_id,
        "status": manifest.status,
        "status_reason": manifest.status_reason,
        "step": step.name if step else None,
        "error": step.error.model_dump(exclude={"traceback"}) if step and step.error else None,
        "folder": str(run.folder.root),
        "total_duration_seconds": manifest.total_duration_seconds,
        "validation": manifest.validation.model_dump(),
        "certified": manifest.certified.model_dump() if manifest.certified else None,
    }
