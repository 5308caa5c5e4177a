"""Commands about the agent that keeps the daemon alive: install, uninstall, start, stop, restart."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

from daemon import terminal
from daemon.cli.world import World
from daemon.service import manager

if TYPE_CHECKING:
    from launchd.service import Service


def install(world: World, dry_run: bool) -> None:
    """Install the agent, or only show how."""
    service = _service(world)
    _name_what_is_left_behind(world)
    if dry_run:
        sys.stdout.write(service.content().decode("utf-8"))
        terminal.note(f"would be written to {service.file}, then:")
        for command in service.plan():
            terminal.note(f"  {command}")
        return
    service.install()
    terminal.say(f"Installed. Drop reports into {world.loaded.settings.paths.inbox}")
    terminal.note("Look after it with: sectune status; sectune doctor")


def uninstall(world: World) -> None:
    """Take the agent away."""
    _service(world).uninstall()
    terminal.say("Uninstalled. Settings, runs and models are left as they are.")


def start(world: World) -> None:
    """Start the installed daemon."""
    _service(world).start()
    terminal.say("Started.")


def stop(world: World) -> None:
    """Stop the installed daemon."""
    service = _service(world)
    service.stop()
    terminal.say("Stopped." if service.file.exists() else "There is no agent installed.")
    if holder := world.daemon():
        terminal.note(f"A daemon that is not the agent's is running: {holder}")


def restart(world: World) -> None:
    """Stop and start the installed daemon."""
    _service(world).restart()
    terminal.say("Restarted.")


def print_list(world: World, label: str) -> None:
    """The property list on stdout, whatever this machine is."""
    from launchd.installer import LaunchAgent

    ours = manager.launch_agent(world.loaded, world.state)
    named = LaunchAgent(ours.manager, ours.uid, ours.file.parent, label)
    _name_what_is_left_behind(world)
    sys.stdout.write(named.content().decode("utf-8"))
    for command in (f"mkdir -p {shlex.quote(str(world.files.logs))}", *named.plan()):
        terminal.note(command)
    terminal.note("All of that, and waiting until the daemon answers, is done by: sectune install")


def _service(world: World) -> Service:
    return manager.service_of(world.loaded, world.state, terminal.note)


def _name_what_is_left_behind(world: World) -> None:
    from config.load import PREFIX

    if names := sorted(name for name in os.environ if name.startswith(PREFIX)):
        terminal.note(f"These are not passed on; put them into {world.loaded.user_file}: {', '.join(names)}")
