"""Ask another program of the machine, never for longer than a limit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from config.errors import SectuneError


class ServiceError(SectuneError):
    """The machine's service manager did not do what it was asked; the operator can mend it."""


class NoAnswer(ServiceError):
    """A call went on for longer than its limit and was ended."""


@dataclass(frozen=True)
class ProgramOutput:
    """What a program answered: its exit code and all it printed."""

    code: int
    text: str

    @property
    def words(self) -> str:
        """The code and the text on one line, for a message."""
        said = " ".join(self.text.split())[:300]
        return f"error {self.code}: {said}" if said else f"error {self.code}"


def call(words: Sequence[str], seconds: float, text: str = "") -> ProgramOutput:
    """Run a program to its end.

    Args:
        words: The program (looked up on PATH) and its arguments; no shell is between.
        seconds: The limit; a program that takes longer is killed with all it started.
        text: What it finds on its standard input.

    Raises:
        NoAnswer: It took longer.
        ServiceError: There is no such program.
    """
    program = shutil.which(words[0])
    if program is None:
        raise ServiceError(
            f"There is no program {words[0]} on this machine.",
            "Run the daemon in the foreground instead: sectune run",
        )
    with subprocess.Popen(
        [program, *words[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(text, timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # what it started would keep the pipe open
            process.communicate()
            raise NoAnswer(
                f"`{' '.join(words)}` did not answer within {seconds:g} s.",
                "Try again; if it stays so, log out and in.",
            ) from None
        return ProgramOutput(process.returncode, said)
