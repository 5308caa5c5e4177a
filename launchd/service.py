"""What the agent's life has in common on macOS and Linux: its file, its backup, our own health."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from launchd.run_program import ServiceError

STRANGER_SECONDS = 1.0  # an agent's own daemon lets go of its lock before launchd forgets it; a little slack


@dataclass(frozen=True)
class Timeouts:
    """How long each thing may take, in seconds.

    Args:
        call: One call of the service manager.
        drain: From asking the daemon to end until it is gone; launchd kills it after `ExitTimeOut` (30 s).
        health: From the start until the daemon answers.
        poll: Between two looks.
        pause: Between two tries of a call that failed for now.
        tries: How often such a call is made.
    """

    call: float = 10.0
    drain: float = 45.0
    health: float = 60.0
    poll: float = 0.25
    pause: float = 1.0
    tries: int = 5


@dataclass(frozen=True)
class Daemon:
    """The daemon that is to be kept alive, and what only its own room knows about it.

    Args:
        program: The console script of the installed environment, absolute.
        environment: Variables for the daemon; no secrets.
        logs: The logs folder.
        backups: Where a former agent's file is kept.
        version: Our own version.
        health: What the running daemon says of itself (`pid N sectune V`); None if none runs.
        stop_trainers: Ends every training child that goes on without a daemon; returns what it ended.
    """

    program: Path
    environment: Mapping[str, str]
    logs: Path
    backups: Path
    version: str
    health: Callable[[], str | None]
    stop_trainers: Callable[[], list[str]]

    @property
    def boot_log(self) -> Path:
        """What the daemon prints before its own log is open."""
        return self.logs / "boot.log"


@dataclass(frozen=True)
class State:
    """What the service manager knows of the agent.

    Args:
        installed: Its file is there.
        loaded: The service manager has it.
        disabled: The user or an administrator has switched it off.
        pid: Its process, if it runs.
        last_exit: How its last process ended, in the service manager's words.
    """

    installed: bool
    loaded: bool = False
    disabled: bool = False
    pid: int | None = None
    last_exit: str | None = None

    @property
    def words(self) -> str:
        """The state in a few words."""
        if not self.installed and not self.loaded:
            return "not installed"
        text = f"running, pid {self.pid}" if self.pid else "loaded, not running" if self.loaded else "stopped"
        if not self.installed:
            text += ", but its file is gone"
        if self.disabled:
            text += ", disabled"
        if self.last_exit and not self.pid:
            text += f", last exit {self.last_exit}"
        return text


class Service(Protocol):
    """An agent's life, whoever keeps it alive."""

    @property
    def file(self) -> Path:
        """Where the agent's file is, or will be."""

    def content(self) -> bytes:
        """What its file will hold."""

    def plan(self) -> list[str]:
        """The commands of an installation, in order, as a person would type them."""

    def install(self) -> None:
        """Write the file, start the daemon, wait until it answers."""

    def uninstall(self) -> None:
        """Stop the daemon and any training, remove the file."""

    def start(self) -> None:
        """Start the installed daemon, wait until it answers."""

    def stop(self) -> None:
        """Stop the daemon; a training goes on."""

    def restart(self) -> None:
        """Stop and start."""

    def state(self) -> State:
        """What the service manager knows."""


@dataclass(frozen=True)
class ServiceManager:
    """Does what both service managers need done: files, backups, waiting."""

    daemon: Daemon
    timeouts: Timeouts = field(default_factory=Timeouts)
    say: Callable[[str], None] = lambda text: None

    def write(self, path: Path, content: bytes) -> None:
        """Put the agent's file into place, atomically; a different former one is kept in the backups."""
        path.parent.mkdir(parents=True, exist_ok=True)
        # launchd makes no folder for its boot log, and starts nothing where there is none
        for folder in (self.daemon.logs, self.daemon.backups):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists() and (former := path.read_bytes()) != content:
            self.keep(path, former)
        draft = path.with_name(f".{path.name}.new")
        with draft.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.chmod(0o644)  # launchd refuses a list that others may write
        draft.replace(path)
        self.say(f"written: {path}")

    def keep(self, path: Path, content: bytes) -> Path:
        """Keep a former file under a name that no other backup has."""
        self.daemon.backups.mkdir(parents=True, exist_ok=True, mode=0o700)
        stem = f"{path.name}.{time.strftime('%Y%m%d_%H%M%S')}"
        number = 0
        while True:
            target = self.daemon.backups / (f"{stem}-{number}" if number else stem)
            try:
                with target.open("xb") as stream:
                    stream.write(content)
                break
            except FileExistsError:
                number += 1
        self.say(f"the former file is kept: {target}")
        return target

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Look again and again; False if it has not come true after `seconds`."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(self.timeouts.poll)
        return True

    def refuse_a_stranger(self) -> None:
        """Another daemon on the same state folder would make ours end at once, again and again.

        Raises:
            ServiceError: One runs although the agent's is gone.
        """
        if not self.until(lambda: self.daemon.health() is None, STRANGER_SECONDS):
            raise ServiceError(
                f"A daemon that is not the agent's is running ({self.daemon.health()}).",
                "End it (Ctrl-C where it runs), then try again.",
            )

    def await_health(self, state: Callable[[], State]) -> None:
        """Wait until the daemon that the service manager started answers with its pid and our version.

        Raises:
            ServiceError: It does not.
        """
        if self.until(lambda: self._is_ours(state().pid), self.timeouts.health):
            self.say(f"the daemon answers: {self.daemon.health()}")
            return
        now = state()
        answer = self.daemon.health()
        raise ServiceError(
            f"The agent is {now.words}, but "
            + (
                f"who answers is '{answer}', not version {self.daemon.version}."
                if answer
                else "nobody answers."
            ),
            f"See {self.daemon.boot_log} and: sectune logs; sectune doctor",
        )

    def _is_ours(self, pid: int | None) -> bool:
        words = (self.daemon.health() or "").split()
        return pid is not None and words == ["pid", str(pid), "sectune", self.daemon.version]

    def stop_trainers(self) -> None:
        """End what would go on training for a daemon that is to be no more."""
        for ended in self.daemon.stop_trainers():
            self.say(f"ended: {ended}")


def refuse_root(uid: int) -> None:
    """The agent is a user's; as root it would watch root's inbox, with everyone's reports in it.

    Raises:
        ServiceError: `uid` is root's.
    """
    if uid == 0:
        raise ServiceError(
            "sectune's agent belongs to a user, not to root.", "Run the same command without sudo."
        )
