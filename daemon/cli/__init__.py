"""The command line: words in, words out; no logic. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import sys

from daemon.cli.application import app
from daemon.cli.screen import complain
from daemon.cli.world import exit_code_of


def main() -> None:
    """The console script `sectune`."""
    try:
        app()
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        complain(error)
        sys.exit(code)
