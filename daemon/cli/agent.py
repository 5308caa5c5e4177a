"""Commands about the agent that keeps the daemon alive: install, uninstall, start, stop, restart."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.cli import screen
from daemon.cli.world import World

if TYPE_CHECKING:
    from launchd.service import Daemon, Patience, Service

LOOK_SECONDS = 2.0  # `status` must not wait for a service manager that hangs
TRAINER_SECONDS = 60.0  # a trainer saves a checkpoint before it ends


def install(world: World, dry_run: bool) -> None:
    """Install the agent, or only show how."""
    service = service_of(world)
    _name_what_is_left_behind(world)
    if dry_run:
        sys.stdout.write(service.content().decode("utf-8"))
        screen.note(f"would be written to {service.file}, then:")
        for command in service.plan():
            screen.note(f"  {command}")
        return
    service.install()
    screen.say(f"Installed. Drop reports into {world.loaded.settings.paths.inbox}")
    screen.note("Look after it with: sectune status; sectune doctor")


def uninstall(world: World) -> None:
    """Take the agent away."""
    service_of(world).uninstall()
    screen.say("Uninstalled. Settings, runs and models are left as they are.")


def start(world: World) -> None:
    """Start the installed daemon."""
    service_of(world).start()
    screen.say("Started.")


def stop(world: World) -> None:
    """Stop the installed daemon."""
    service = service_of(world)
    service.stop()
    screen.say("Stopped." if service.file.exists() else "There is no agent installed.")
    if holder := world.daemon():
        screen.note(f"A daemon that is not the agent's is running: {holder}")


def restart(world: World) -> None:
    """Stop and start the installed daemon."""
    service_of(world).restart()
    screen.say("Restarted.")


def state_in_words(world: World) -> str | None:
    """The agent's state; None where none is installed."""
    # Looked for before anything is imported: where there is no agent, `status` pays one stat() for it.
    if not _file().exists():
        return None
    from jobs.errors import OperatorError
    from launchd.calls import ServiceError
    from launchd.service import Patience

    try:
        return service_of(world, Patience(call=LOOK_SECONDS)).state().words
    except (ServiceError, OperatorError) as error:
        return f"unknown: {error.message}"


def print_list(world: World, label: str) -> None:
    """The property list on stdout, whatever this machine is."""
    from launchd.installer import LaunchAgent
    from launchd.service import Clerk

    agent = LaunchAgent(Clerk(_daemon(world)), os.getuid(), _agents(), label)
    _name_what_is_left_behind(world)
    sys.stdout.write(agent.content().decode("utf-8"))
    for command in (f"mkdir -p {shlex.quote(str(world.state / 'logs'))}", *agent.plan()):
        screen.note(command)
    screen.note("All of that, and waiting until the daemon answers, is done by: sectune install")


def service_of(world: World, patience: Patience | None = None) -> Service:
    """The agent under this machine's service manager."""
    from launchd.service import Clerk
    from launchd.service import Patience as Default

    clerk = Clerk(_daemon(world), patience or Default(), screen.note)
    if sys.platform == "darwin":
        from launchd.installer import LaunchAgent

        return LaunchAgent(clerk, os.getuid(), _agents())
    from launchd.systemd import UserUnit

    return UserUnit(clerk, os.getuid(), _units())


def _file() -> Path:
    if sys.platform == "darwin":
        return _agents() / "io.sectune.agent.plist"
    return _units() / "sectune.service"


def _agents() -> Path:
    return Path.home() / "Library" / "LaunchAgents"


def _units() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME") or ""
    home = Path(configured) if Path(configured).is_absolute() else Path.home() / ".config"
    return home / "systemd" / "user"


def _daemon(world: World) -> Daemon:
    from importlib import metadata

    from launchd.service import Daemon

    return Daemon(
        program=_program(),
        environment=_environment(world),
        logs=world.state / "logs",
        backups=world.state / "backups",
        version=metadata.version("sectune"),
        health=world.daemon,
        stop_trainers=lambda: stop_trainers(world),
    )


def stop_trainers(world: World) -> list[str]:
    """End the children that go on without a daemon; their runs go on with the next daemon."""
    from jobs import children

    asked = []
    for run in world.store.list()[0]:
        step = run.manifest.progress.step
        if step and children.stop(run.folder.work(step)):
            asked.append((run, step))
    deadline = time.monotonic() + TRAINER_SECONDS
    ended = []
    for run, step in asked:
        while (pid := children.living(run.folder.work(step))) and time.monotonic() < deadline:
            time.sleep(0.1)
        if pid:
            screen.note(f"{step} of {run.run_id} does not end; end it by hand: kill {pid}")
        else:
            ended.append(f"{step} of {run.run_id}")
    return ended


def _program() -> Path:
    from jobs.errors import OperatorError

    # The console script of this very installation; another may come first on the PATH.
    beside = Path(sys.executable).absolute().with_name("sectune")
    if beside.exists():
        return beside
    if found := shutil.which("sectune"):
        return Path(found).absolute()
    raise OperatorError("The command sectune is not installed.", "Install it, for example with: make demo")


def _environment(world: World) -> dict[str, str]:
    from config.load import FILE_VARIABLE

    return {FILE_VARIABLE: str(world.loaded.user_file.absolute())} if world.loaded.user_file.exists() else {}


def _name_what_is_left_behind(world: World) -> None:
    from config.load import PREFIX

    if names := sorted(name for name in os.environ if name.startswith(PREFIX)):
        screen.note(f"These are not passed on; put them into {world.loaded.user_file}: {', '.join(names)}")
