"""The agent of this machine: which service manager keeps the daemon alive, and what it is told of us."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.service.agent_path import agent_path, launch_agents, units

if TYPE_CHECKING:
    from config.load import Loaded
    from launchd.installer import LaunchAgent
    from launchd.service import Daemon, Service, Timeouts

LOOK_SECONDS = 2.0  # a look must not wait for a service manager that hangs
TRAINER_SECONDS = 150.0  # a trainer saves a checkpoint before it ends; see children.END_SECONDS
Say = Callable[[str], None]


def agent_file() -> Path:
    """Where the agent's file is, or would be."""
    return Path(agent_path())


def service_of(
    loaded: Loaded, state: Path, say: Say = lambda text: None, timeouts: Timeouts | None = None
) -> Service:
    """The agent under this machine's service manager.

    Args:
        loaded: The settings.
        state: The state folder.
        say: Is told each thing that was done.
        timeouts: How long each thing may take.
    """
    return _service(_daemon(loaded, state, say), say, timeouts)


def _service(daemon: Daemon, say: Say, timeouts: Timeouts | None) -> Service:
    from launchd.service import ServiceManager, Timeouts

    service_manager = ServiceManager(daemon, timeouts or Timeouts(), say)
    if sys.platform == "darwin":
        from launchd.installer import LaunchAgent

        return LaunchAgent(service_manager, os.getuid(), Path(launch_agents()))
    from launchd.systemd import UserUnit

    return UserUnit(service_manager, os.getuid(), Path(units()))


def launch_agent(
    loaded: Loaded, state: Path, say: Say = lambda text: None, timeouts: Timeouts | None = None
) -> LaunchAgent:
    """The agent under launchd, whatever this machine is."""
    from launchd.installer import LaunchAgent
    from launchd.service import ServiceManager, Timeouts

    return LaunchAgent(
        ServiceManager(_daemon(loaded, state, say), timeouts or Timeouts(), say),
        os.getuid(),
        Path(launch_agents()),
    )


def state_in_words() -> str | None:
    """The agent's state; None where none is installed. Never fails: it says why it does not know.

    The service manager is asked about the agent, whatever daemon it would start: no settings are needed.
    """
    if not agent_file().exists():
        return None
    from jobs.errors import OperatorError
    from launchd.run_program import ServiceError
    from launchd.service import Daemon, Timeouts

    nobody = Daemon(Path(sys.executable), {}, Path(), Path(), "", lambda: None, list)
    try:
        return _service(nobody, lambda text: None, Timeouts(call=LOOK_SECONDS)).state().words
    except (ServiceError, OperatorError) as error:
        return f"unknown: {error.message}"


def stop_trainers(models_dir: Path, say: Say) -> list[str]:
    """End the children that go on without a daemon; their runs go on with the next daemon.

    Returns:
        What was ended; what does not end is said, with its pid.
    """
    from jobs.children import life, parent
    from jobs.runs.store import RunStore

    asked = []
    for run in RunStore(models_dir).list()[0]:
        step = run.manifest.progress.step
        if step and parent.stop(run.folder.work(step)):
            asked.append((run, step))
    deadline = time.monotonic() + TRAINER_SECONDS
    ended = []
    for run, step in asked:
        while (pid := life.living(run.folder.work(step))) and time.monotonic() < deadline:
            time.sleep(0.1)
        if pid:
            say(f"{step} of {run.run_id} does not end; end it by hand: kill {pid}")
        else:
            ended.append(f"{step} of {run.run_id}")
    return ended


def _daemon(loaded: Loaded, state: Path, say: Say) -> Daemon:
    from importlib import metadata

    from jobs.fs.files import lock_holder
    from jobs.state_files import StateFiles
    from launchd.service import Daemon

    files = StateFiles(state)
    return Daemon(
        program=_program(),
        environment=_environment(loaded),
        logs=files.logs,
        backups=files.backups,
        version=metadata.version("sectune"),
        health=lambda: lock_holder(files.daemon_lock),
        stop_trainers=lambda: stop_trainers(loaded.settings.paths.models_dir, say),
    )


def _program() -> Path:
    from jobs.errors import OperatorError

    # The console script of this very installation; another may come first on the PATH.
    beside = Path(sys.executable).absolute().with_name("sectune")
    if beside.exists():
        return beside
    if found := shutil.which("sectune"):
        return Path(found).absolute()
    raise OperatorError("The command sectune is not installed.", "Install it, for example with: make demo")


def _environment(loaded: Loaded) -> dict[str, str]:
    from config.load import FILE_VARIABLE

    return {FILE_VARIABLE: str(loaded.user_file.absolute())} if loaded.user_file.exists() else {}
