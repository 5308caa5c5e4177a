"""`sectune status`: what is going on now, told in the time that Python takes to start.

Everything this file imports at its head is light; what it needs of the settings comes with `StatusSources`.
"""

# As in config/cache.py, no pathlib.
# ruff: noqa: PTH110, PTH112, PTH118, PTH120
from __future__ import annotations

import os

from daemon import terminal
from daemon.exit_codes import NOT_RUNNING, OK
from jobs.fs.locks import lock_holder
from jobs.runs.summaries import Overview, overview
from jobs.state_files import DAEMON_LOCK, LEDGER

TYPE_CHECKING = False  # see config/cache.py
if TYPE_CHECKING:
    from typing import Any


class StatusSources:
    """Where to look, and how much room is to stay free on each disk (bytes)."""

    def __init__(self, inbox: str, models_dir: str, state: str, reserve: int) -> None:
        self.inbox = inbox
        self.models_dir = models_dir
        self.state = state
        self.reserve = reserve

    def runs(self) -> Overview:
        """All runs, in a few words each."""
        return overview(os.path.join(self.models_dir, "training-runs"))


def show_status(sources: StatusSources, json: bool) -> int:
    """What is going on; exit code 3 if no daemon runs."""
    facts = _facts(sources)
    if json:
        terminal.emit_json({**facts, "unreadable": [folder for folder, _ in facts["unreadable"]]})
    else:
        _tell(facts)
    return OK if facts["daemon"] else NOT_RUNNING


def _facts(sources: StatusSources) -> dict[str, Any]:
    runs = sources.runs()
    return {
        "daemon": lock_holder(os.path.join(sources.state, DAEMON_LOCK)),
        "agent": _agent(),
        "inbox": {"path": sources.inbox, "files": _counts(os.path.join(sources.state, LEDGER))},
        "queue": runs.unfinished,
        "full_disks": _full_disks(sources),
        "needs_attention": runs.attention,
        "unreadable": runs.unreadable,
        "completed": runs.completed,
    }


def _agent() -> str | None:
    from daemon.service.agent_path import agent_path

    if not os.path.exists(agent_path()):
        return None
    from daemon.service.manager import state_in_words

    return state_in_words()


def _counts(ledger: str) -> dict[str, int]:
    if not os.path.exists(ledger):
        return {}
    from daemon.inbox.ledger_counts import counts

    return counts(ledger)


def _full_disks(sources: StatusSources) -> list[dict[str, str]]:
    """Our folders on disks with less room than is to stay free: on a full one no run could say so itself."""
    folders = (sources.models_dir, sources.state, sources.inbox)
    low = [folder for folder in folders if _free(folder) < sources.reserve]
    if not low:
        return []
    from jobs.fs import free_space

    return [{"folder": folder, "free": f"{free_space.in_words(_free(folder))} free"} for folder in low]


def _free(folder: str) -> int:
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        folder = os.path.dirname(folder)
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def _tell(facts: dict[str, Any]) -> None:
    holder, seen = facts["daemon"], facts["inbox"]["files"]
    terminal.say(f"daemon   {'running: ' + holder if holder else 'not running (start it with: sectune run)'}")
    if facts["agent"]:
        terminal.say(f"agent    {facts['agent']}")
    terminal.say(f"inbox    {facts['inbox']['path']}{_still_to_come(seen)}")
    unfinished, attention = facts["queue"], facts["needs_attention"]
    terminal.say(
        f"runs     {len(unfinished)} unfinished, {facts['completed']} completed, "
        f"{len(attention)} need attention"
    )
    for run in (*unfinished, *attention):
        _tell_run(run)
    for low in facts["full_disks"]:
        terminal.note(f"too little room on the disk of {low['folder']}: {low['free']}")
    for _, reason in facts["unreadable"]:
        terminal.note(f"unreadable run: {reason}")


def _still_to_come(seen: dict[str, int]) -> str:
    """How many files of the inbox are in a state that does not last; nothing where there are none."""
    if not seen:
        return ""
    from daemon.inbox.file_state import FileState

    states = (FileState.SETTLING, FileState.ACCEPTED, FileState.FAILED)
    present = ", ".join(f"{seen[state]} {state}" for state in states if seen.get(state))
    return f"  ({present})" if present else ""


def _tell_run(run: dict[str, Any]) -> None:
    terminal.say(f"\n{run['run_id']}  {run['status']}  step {run['steps_done'] + 1} of {run['steps']}")
    if run["status_reason"]:
        terminal.say(f"  {run['status_reason']}")
    terminal.say("  " + "  ".join(part for part in _parts(run["step"], run["progress"]) if part))
    if run["status"] == "needs_attention":
        terminal.say(f"  once that is mended: sectune runs retry {run['run_id']}")


def _parts(step: str | None, progress: dict[str, Any]) -> list[str]:
    done, total = progress["iteration"], progress["iterations"]
    loss, speed = progress["train_loss"], progress["tokens_per_second"]
    memory, left = progress["peak_memory_gb"], progress["eta_seconds"]
    return [
        step or "",
        progress["phase"] or "",
        terminal.bar(done, total),
        f"{done}/{total}" if total and done else "",
        f"loss {loss:.3f}" if loss is not None else "",
        f"{speed:.0f} tokens/s" if speed is not None else "",
        f"{memory:.2f} GB" if memory is not None else "",
        f"{terminal.duration(left)} left" if left is not None else "",
    ]
