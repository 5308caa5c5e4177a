"""Checks of what runs: daemon, agent, databases, runs, a training without a daemon, the model in use."""

from __future__ import annotations

import shlex
import sqlite3
from contextlib import closing
from importlib import metadata
from pathlib import Path

from config.load import Loaded
from daemon.doctor.check import CheckResult, Checks
from daemon.inbox.file_state import FileState
from daemon.inbox.ledger_counts import counts
from daemon.inbox.migrations import refuse_newer
from daemon.service import manager
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.fs.locks import Holder
from jobs.runs.store import RunStore
from jobs.state_files import LEDGER, QUEUE, StateFiles


def daemon(_: Loaded, state: Path) -> CheckResult:
    """A daemon runs."""
    holder = files.lock_holder(StateFiles(state).daemon_lock)
    start = "sectune start" if manager.agent_file().exists() else "sectune run"
    return CheckResult(
        "daemon",
        holder is not None,
        f"running: {holder}" if holder else "not running",
        "Without it nothing in the inbox is seen.",
        start,
    )


def version(_: Loaded, state: Path) -> CheckResult:
    """The daemon is of the version that is installed."""
    holder = files.lock_holder(StateFiles(state).daemon_lock)
    ours = metadata.version("sectune")
    return CheckResult(
        "version",
        holder is None or Holder.parse(holder).words[-1:] == (ours,),
        f"installed {ours}; the daemon says: {holder}" if holder else f"installed {ours}",
        "After an upgrade the old daemon goes on until it is started again.",
        "sectune restart   # a training goes on",
    )


def the_agent(loaded: Loaded, state: Path) -> CheckResult:
    """The agent is as this installation would write it, and is on."""
    words = manager.state_in_words()
    if words is None:
        return CheckResult("agent", True, "not installed (sectune install)", "", "")
    from launchd.run_program import ServiceError

    try:
        same = manager.agent_file().read_bytes() == manager.service_of(loaded, state).content()
    except (OSError, OperatorError, ServiceError):
        same = False
    bad = "disabled" in words or "unknown" in words or "last exit" in words
    return CheckResult(
        "agent",
        same and not bad,
        words if same else f"{words}; its file is not what this installation would write",
        "It starts the daemon at login and after a crash; an old file may name a program that is gone.",
        "sectune install",
    )


def databases(_: Loaded, state: Path) -> CheckResult:
    """Queue and ledger are whole."""
    broken = {name: words for name in (QUEUE, LEDGER) if (words := _fault(state / name))}
    return CheckResult(
        "databases",
        not broken,
        "; ".join(f"{name}: {words}" for name, words in broken.items()) or "queue and inbox ledger are whole",
        "The queue holds only messages and can be made anew; the ledger knows which reports were seen.",
        "sectune stop, then move the broken file out of "
        f"{shlex.quote(str(state))}, then sectune start; without its ledger the inbox is read anew.",
    )


def shared_queue(loaded: Loaded, state: Path) -> CheckResult:
    """The queue's server can be asked, where several machines share one."""
    from jobs.queue import Queue, missing_client, remedy_of

    chosen = loaded.settings.queue
    if chosen.storage == "sqlite":
        return CheckResult("queue", True, "on this machine alone (queue.storage: sqlite)", "", "")
    why = "No run is enqueued: what waits goes on only after the queue answers."
    if missing := missing_client(chosen.storage):
        return CheckResult("queue", False, f"{missing} is not installed", why, remedy_of(chosen.storage))
    try:
        with closing(Queue(StateFiles(state).queue, settings=chosen)) as queue:
            waiting = queue.pending()
    except OperatorError as error:
        return CheckResult("queue", False, error.message, why, error.remedy)
    return CheckResult("queue", True, f"{chosen.storage} answers; {len(waiting)} messages", "", "")


def _fault(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=2.0)) as base:
            (answer,) = base.execute("PRAGMA quick_check(1)").fetchone()
            if path.name == LEDGER:
                refuse_newer(base, str(path))
    except sqlite3.Error as error:
        return str(error)
    except OperatorError as error:
        return error.message
    return None if answer == "ok" else str(answer)


def stuck_files(_: Loaded, state: Path) -> CheckResult:
    """No file of the inbox waits for the machine to be mended."""
    path = StateFiles(state).ledger
    if not path.exists() or _fault(path):
        return CheckResult("inbox files", True, "nothing was seen yet", "", "")
    found = counts(str(path))
    failed = found.get(FileState.FAILED, 0)
    return CheckResult(
        "inbox files",
        failed == 0,
        f"{failed} of {sum(found.values())} files could not be read" if failed else "none is stuck",
        "They are tried again, but the machine stands in the way: a full disk, a missing permission.",
        "sectune inbox   # says for each what is in the way",
    )


def runs(loaded: Loaded, _: Path) -> CheckResult:
    """No run waits for a person, and every manifest can be read."""
    found, unreadable = RunStore(loaded.settings.paths.models_dir).list()
    waiting = [run.run_id for run in found if run.manifest.status == "needs_attention"]
    seen = [f"{len(found)} runs"]
    if waiting:
        seen.append(f"need attention: {', '.join(waiting)}")
    if unreadable:
        seen.append(f"unreadable: {', '.join(str(item.folder) for item in unreadable)}")
    fix = "; ".join(f"sectune runs show {run_id}" for run_id in waiting)
    moved = "move each unreadable folder out of training-runs, or restore its run-manifest.json"
    return CheckResult(
        "runs",
        not waiting and not unreadable,
        ", ".join(seen),
        "Such a run does not go on by itself.",
        "; ".join(filter(None, [fix, moved if unreadable else ""])),
    )


def trainer(_: Loaded, state: Path) -> CheckResult:
    """A training that goes on without a daemon is known about."""
    holder = files.lock_holder(StateFiles(state).device_lock)
    alone = holder is not None and files.lock_holder(StateFiles(state).daemon_lock) is None
    return CheckResult(
        "trainer",
        not alone,
        f"{'without a daemon: ' if alone else ''}{holder}" if holder else "the device is free",
        "It trains on to its end, but nobody records its progress or takes up what comes after.",
        "Start the daemon, which adopts it: sectune start (or sectune run)",
    )


def current(loaded: Loaded, _: Path) -> CheckResult:
    """CURRENT leads to a model that is there."""
    link = loaded.settings.paths.models_dir / "certified" / "CURRENT"
    if not link.is_symlink():
        return CheckResult("current", True, "no model is in use yet", "", "")
    return CheckResult(
        "current",
        link.is_dir(),
        f"CURRENT is {link.readlink()}",
        "Programs load the model through this link.",
        f"rm {shlex.quote(str(link))}   # the next certified model takes its place; see: sectune models list",
    )


CHECKS: Checks = (daemon, version, the_agent, databases, shared_queue, stuck_files, runs, trainer, current)
