"""The same agent on Linux: a unit of the user's systemd, by the same commands."""

from __future__ import annotations

import contextlib
import getpass
import re
from pathlib import Path

from launchd.run_program import NoAnswer, ProgramOutput, ServiceError, call
from launchd.service import ServiceManager, State, refuse_root

UNIT = "sectune.service"
LINGER = "loginctl enable-linger"
_TEXT = """\
[Unit]
Description=sectune: turns security-scan reports into a better local model
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=exec
ExecStart={program} run
{environment}Restart=on-failure
RestartSec=30
# 2: the settings are wrong, 75: another daemon runs; trying again mends neither
RestartPreventExitStatus=2 75
# only the daemon: a training child goes on, and the next daemon adopts it
KillMode=process
TimeoutStopSec=30
UMask=0077
LimitNOFILE=4096

[Install]
WantedBy=default.target
"""


class UserUnit:
    """The agent under systemd.

    Args:
        manager: The daemon, and how long it may take.
        uid: The user it is for.
        units: `~/.config/systemd/user`.
    """

    def __init__(self, manager: ServiceManager, uid: int, units: Path) -> None:
        self.manager = manager
        self.uid = uid
        self.file = units / UNIT

    def content(self) -> bytes:
        """The unit file."""
        daemon = self.manager.daemon
        variables = "".join(
            f"Environment={_quoted(f'{name}={value}')}\n"
            for name, value in sorted(daemon.environment.items())
        )
        return _TEXT.format(program=_quoted(str(daemon.program)), environment=variables).encode()

    def plan(self) -> list[str]:
        """The commands of an installation."""
        return [
            "systemctl --user daemon-reload",
            f"systemctl --user enable {UNIT}",
            f"systemctl --user stop {UNIT}   # then wait until it is gone",
            f"systemctl --user start {UNIT}",
            f"{LINGER}   # yours to decide: without it the daemon ends when you log out",
        ]

    def install(self) -> None:
        """Write the unit, enable and start it, wait until the daemon answers.

        Raises:
            ServiceError: As root; or systemd does not do it; or the daemon does not answer.
        """
        refuse_root(self.uid)
        content = self.content()
        self._stop()
        self.manager.refuse_a_stranger()
        self.manager.write(self.file, content)
        self._must("daemon-reload")
        self._must("enable", UNIT)
        self._start()
        self._explain_linger()

    def uninstall(self) -> None:
        """Stop and disable the unit, remove it (a copy is kept), end what still trains."""
        refuse_root(self.uid)
        self._stop()
        if self.file.exists():
            self._must("disable", UNIT)
            self.manager.keep(self.file, self.file.read_bytes())
            self.file.unlink()
            self._must("daemon-reload")
            self.manager.say(f"removed: {self.file}")
        self.manager.stop_trainers()

    def start(self) -> None:
        """Start the installed unit, and wait until the daemon answers."""
        refuse_root(self.uid)
        self._must_be_installed()
        if self.state().pid is None:
            self.manager.refuse_a_stranger()
        self._start()

    def stop(self) -> None:
        """Stop the unit: it stays stopped until `start`, or the next login."""
        refuse_root(self.uid)
        self._stop()

    def restart(self) -> None:
        """Stop and start."""
        refuse_root(self.uid)
        self._must_be_installed()
        self._stop()
        self.manager.refuse_a_stranger()
        self._start()

    def state(self) -> State:
        """What systemd knows of the unit.

        Raises:
            ServiceError: It cannot be asked.
        """
        names = "LoadState,ActiveState,MainPID,UnitFileState,Result,ExecMainStatus"
        answer = self._must("show", UNIT, f"--property={names}")
        facts = dict(line.split("=", 1) for line in answer.text.splitlines() if "=" in line)
        pid = int(facts.get("MainPID") or 0) or None
        active = facts.get("ActiveState")
        ended = facts.get("Result") not in (None, "", "success")
        return State(
            installed=self.file.exists(),
            loaded=active in ("active", "activating", "deactivating", "reloading"),
            disabled=facts.get("UnitFileState") in ("disabled", "masked"),
            pid=pid,
            last_exit=f"{facts.get('ExecMainStatus')} ({facts['Result']})" if ended else None,
        )

    def _must_be_installed(self) -> None:
        if not self.file.exists():
            raise ServiceError(
                f"The agent is not installed: there is no {self.file}.", "Run: sectune install"
            )

    def _start(self) -> None:
        self._must("reset-failed", UNIT, tolerated=True)  # a crash loop of before would forbid this start
        self._must("start", UNIT)
        self.manager.await_health(self.state)

    def _stop(self) -> None:
        if not self.state().loaded:
            return
        with contextlib.suppress(NoAnswer):  # the look afterwards is what counts
            self._must("stop", "--no-block", UNIT)
        if not self.manager.until(lambda: not self.state().loaded, self.manager.timeouts.drain):
            raise ServiceError(
                f"The agent still drains after {self.manager.timeouts.drain:g} s (pid {self.state().pid}).",
                "Try again in a minute; nothing was changed but the request to end.",
            )
        self.manager.say("the agent is stopped")

    def _must(self, *words: str, tolerated: bool = False) -> ProgramOutput:
        answer = call(("systemctl", "--user", *words), self.manager.timeouts.call)
        if answer.code == 0 or tolerated:
            return answer
        remedy = f"See: systemctl --user status {UNIT}; journalctl --user -u {UNIT}"
        if re.search(r"connect to bus|XDG_RUNTIME_DIR|No medium found", answer.text):
            remedy = (
                "There is no session of yours for it. Log in directly (not by su or sudo), or let your "
                f"services run without one: {LINGER}. Or run the daemon in the foreground: sectune run"
            )
        raise ServiceError(f"systemctl --user {' '.join(words)}: {answer.words}", remedy)

    def _explain_linger(self) -> None:
        try:
            answer = call(
                ("loginctl", "show-user", getpass.getuser(), "--property=Linger"), self.manager.timeouts.call
            )
        except ServiceError:  # a machine without loginctl keeps or ends sessions in its own way
            return
        if "Linger=yes" not in answer.text:
            self.manager.say(
                "Without lingering, systemd ends your services, and a training with them, when you log out. "
                f"To keep them running: {LINGER}"
            )


def _quoted(text: str) -> str:
    """One word of a unit file: quoted, and safe from systemd's % specifiers.

    Raises:
        ServiceError: It has a line break, which no unit file can carry.
    """
    if "\n" in text or "\r" in text:
        raise ServiceError(f"{text!r} cannot stand in a unit file.")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'
