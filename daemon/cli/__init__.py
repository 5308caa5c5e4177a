"""The command line: words in, words out; no logic. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys

from daemon.cli.application import app
from daemon.cli.screen import complain
from daemon.cli.world import FAILED, exit_code_of


def main() -> None:
    """The console script `sectune`."""
    try:
        app()
    except BrokenPipeError:  # the reader, for example `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        error = _of_the_machine(error)
        code = exit_code_of(error)
        if code is None:
            raise
        complain(error)
        sys.exit(code)


def _of_the_machine(error: Exception) -> Exception:
    # A full disk or a missing permission is nobody's bug: a sentence helps, a traceback does not.
    from jobs.errors import of_the_machine

    return of_the_machine(error) or error
