"""What a command ends with. An error of ours carries its own code (config/errors.py); a bug has none."""

from __future__ import annotations

from config.errors import SectuneError

OK = 0
FAILED = 1
USAGE = 2  # wrong words on the command line, or wrong settings
NOT_RUNNING = 3
NOT_FOUND = 4
NEEDS_ATTENTION = 5
BUSY = 75  # of sysexits.h: try again later


def exit_code_of(error: Exception) -> int | None:
    """The exit code an error stands for; None for a bug, which keeps its traceback."""
    return error.exit_code if isinstance(error, SectuneError) else None
