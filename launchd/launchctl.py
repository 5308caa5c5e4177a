"""launchctl's words and the meanings of its exit codes.

Codes: launchctl(1) prints them with `launchctl error N`. 3, 113: not loaded. 5: input/output error, the
answer to almost everything, also to a bootstrap while the old instance drains. 36: in progress. 17, 37:
loaded already. 112, 125: no graphical session of this user. 119: disabled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from launchd.run_program import NoAnswer, ProgramOutput, ServiceError, call

NOT_LOADED = frozenset({3, 113})
IN_PROGRESS = 36
LOADED_ALREADY = frozenset({17, 37})
FOR_NOW = 5
DISABLED = 119
NO_SESSION = frozenset({112, 125})
_PID = re.compile(r"^\s*pid = (\d+)$", re.MULTILINE)
_LAST_EXIT = re.compile(r"^\s*last exit code = (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Printed:
    """What `launchctl print` told: the process, if there is one, and how the last one ended."""

    pid: int | None
    last_exit: str | None


@dataclass(frozen=True)
class Launchctl:
    """launchctl, for one agent of one user.

    Args:
        label: The agent's label.
        uid: The user.
        seconds: The limit of each call.
    """

    label: str
    uid: int
    seconds: float

    @property
    def domain(self) -> str:
        """The user's graphical session; agents of the `user/` domain get no Metal."""
        return f"gui/{self.uid}"

    @property
    def target(self) -> str:
        """The agent in its domain."""
        return f"{self.domain}/{self.label}"

    def look(self) -> Printed | None:
        """What launchd knows of the agent; None if it is not loaded.

        Raises:
            ServiceError: launchctl answers with anything else, or not at all.
        """
        answer = self._call("print", self.target)
        if answer.code in NOT_LOADED:
            return None
        self._must(answer, "print")
        pid, last = _PID.search(answer.text), _LAST_EXIT.search(answer.text)
        told = last[1].strip() if last and "never exited" not in last[1] else None
        return Printed(int(pid[1]) if pid else None, told)

    def is_disabled(self) -> bool:
        """Whether somebody has switched the agent off; that outlives its file."""
        answer = self._call("print-disabled", self.domain)
        return bool(re.search(rf'"{re.escape(self.label)}" => (?:true|disabled)', answer.text))

    def enable(self) -> None:
        """Take a former `disable` back; without it bootstrap answers 119 for ever."""
        self._must(self._call("enable", self.target), "enable")

    def bootout(self) -> None:
        """Ask launchd to end and forget the agent. It may still drain afterwards: look until it is gone."""
        try:
            answer = self._call("bootout", self.target)
        except NoAnswer:  # it waits for the process; the look afterwards is what counts
            return
        if answer.code not in NOT_LOADED and answer.code != IN_PROGRESS and answer.code != FOR_NOW:
            self._must(answer, "bootout")

    def bootstrap(self, plist: Path) -> ProgramOutput:
        """Load the list; the answer's code says whether another try can help."""
        return self._call("bootstrap", self.domain, str(plist))

    def kickstart(self) -> None:
        """Start the loaded agent now."""
        answer = self._call("kickstart", self.target)
        if answer.code not in LOADED_ALREADY:
            self._must(answer, "kickstart")

    def failure(self, answer: ProgramOutput, verb: str) -> ServiceError:
        """An answer as an error with its remedy."""
        if answer.code == DISABLED:
            remedy = (
                "Allow it in System Settings, General, Login Items; an administrator may have forbidden it."
            )
        elif answer.code in NO_SESSION:
            remedy = (
                "Log in at the Mac's own screen and try again there: over ssh there is no session for it."
            )
        elif answer.code == FOR_NOW:
            remedy = f"Try again in a minute, then log out and in. State: launchctl print {self.target}"
        else:
            remedy = f"See: launchctl error {answer.code}; launchctl print {self.target}"
        return ServiceError(f"launchctl {verb} {self.target}: {answer.words}", remedy)

    def _must(self, answer: ProgramOutput, verb: str) -> None:
        if answer.code != 0:
            raise self.failure(answer, verb)

    def _call(self, *words: str) -> ProgramOutput:
        return call(("launchctl", *words), self.seconds)
