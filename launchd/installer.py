"""The LaunchAgent's life: install, uninstall, start, stop, restart."""

from __future__ import annotations

import shlex
import shutil
import time
from pathlib import Path

from launchd.agent import DEFAULT_LABEL, check, property_list, render
from launchd.launchctl import DISABLED, FOR_NOW, IN_PROGRESS, LOADED_ALREADY, Launchctl
from launchd.run_program import ServiceError, call
from launchd.service import ServiceManager, State, refuse_root


class LaunchAgent:
    """The agent under launchd.

    Args:
        manager: The daemon, and how long it may take.
        uid: The user it is for.
        agents: `~/Library/LaunchAgents`.
        label: Its name.
    """

    def __init__(self, manager: ServiceManager, uid: int, agents: Path, label: str = DEFAULT_LABEL) -> None:
        self.manager = manager
        self.uid = uid
        self.file = agents / f"{label}.plist"
        self.label = label
        self.launchctl = Launchctl(label, uid, manager.timeouts.call)

    def content(self) -> bytes:
        """The property list.

        Raises:
            ServiceError: It would be faulty.
        """
        daemon = self.manager.daemon
        plist = property_list(daemon.program, daemon.environment, daemon.boot_log, self.label)
        if problems := check(plist):
            raise ServiceError("The property list would be faulty: " + "; ".join(problems))
        return render(plist)

    def plan(self) -> list[str]:
        """The commands of an installation."""
        target, domain = self.launchctl.target, self.launchctl.domain
        return [
            f"launchctl enable {target}",
            f"launchctl bootout {target}   # then wait until it is gone",
            f"launchctl bootstrap {domain} {shlex.quote(str(self.file))}",
            f"launchctl kickstart {target}   # if it does not run yet",
        ]

    def install(self) -> None:
        """Write the list, load it, wait until the daemon answers with its pid and our version.

        Raises:
            ServiceError: As root; or launchd does not do it; or the daemon does not answer.
        """
        refuse_root(self.uid)
        content = self.content()
        self.launchctl.enable()
        self._unload()
        self.manager.refuse_a_stranger()
        self.manager.write(self.file, content)
        self._lint()
        self._load()

    def uninstall(self) -> None:
        """Unload the agent, remove its list (a copy is kept), end what still trains."""
        refuse_root(self.uid)
        self._unload()
        if self.file.exists():
            self.manager.keep(self.file, self.file.read_bytes())
            self.file.unlink()
            self.manager.say(f"removed: {self.file}")
        self.manager.stop_trainers()

    def start(self) -> None:
        """Load the installed list if need be, and wait until the daemon answers."""
        refuse_root(self.uid)
        self._must_be_installed()
        self.launchctl.enable()
        printed = self.launchctl.look()
        if printed is None or printed.pid is None:
            self.manager.refuse_a_stranger()
        self._load() if printed is None else self._run()

    def stop(self) -> None:
        """Unload the agent: it stays stopped until `start`, or the next login."""
        refuse_root(self.uid)
        self._unload()

    def restart(self) -> None:
        """Stop and start; not `kickstart -k`, which does not let a daemon end in peace."""
        refuse_root(self.uid)
        self._must_be_installed()
        self.launchctl.enable()
        self._unload()
        self.manager.refuse_a_stranger()
        self._load()

    def state(self) -> State:
        """What launchd knows of the agent."""
        printed = self.launchctl.look()
        disabled = self.launchctl.is_disabled()
        if printed is None:
            return State(self.file.exists(), disabled=disabled)
        return State(self.file.exists(), True, disabled, printed.pid, printed.last_exit)

    def _must_be_installed(self) -> None:
        if not self.file.exists():
            raise ServiceError(
                f"The agent is not installed: there is no {self.file}.", "Run: sectune install"
            )

    def _unload(self) -> None:
        if self.launchctl.look() is None:
            return
        self.launchctl.bootout()
        if not self.manager.until(lambda: self.launchctl.look() is None, self.manager.timeouts.drain):
            printed = self.launchctl.look()
            raise ServiceError(
                f"The agent still drains after {self.manager.timeouts.drain:g} s"
                + (f" (pid {printed.pid})." if printed and printed.pid else "."),
                "Try again in a minute; nothing was changed but the request to end.",
            )
        self.manager.say("the agent is stopped")

    def _load(self) -> None:
        timeouts = self.manager.timeouts
        for attempt in range(timeouts.tries):
            answer = self.launchctl.bootstrap(self.file)
            if answer.code == 0 or (answer.code in LOADED_ALREADY and self.launchctl.look()):
                return self._run()
            if answer.code == DISABLED:
                self.launchctl.enable()
            elif answer.code not in (FOR_NOW, IN_PROGRESS):
                break
            if attempt + 1 < timeouts.tries:
                time.sleep(timeouts.pause)
        raise self.launchctl.failure(answer, "bootstrap")

    def _run(self) -> None:
        printed = self.launchctl.look()
        if printed is None or printed.pid is None:  # RunAtLoad has mostly done it
            self.launchctl.kickstart()
        self.manager.await_health(self.state)

    def _lint(self) -> None:
        if shutil.which("plutil") is None:  # there is one on every Mac
            return
        answer = call(("plutil", "-lint", str(self.file)), self.manager.timeouts.call)
        if answer.code != 0:
            raise ServiceError(
                f"plutil finds the list faulty: {answer.words}", "This is a bug of ours; report it."
            )
