"""The command line: words in, words out; no logic. Data goes to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """The console script `sectune`."""
    try:
        sys.exit(_answer())
    except BrokenPipeError:  # the reader, for example `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        _complain(error)


def _answer() -> int | None:
    # typer takes 60 ms to import, four times as long as Python itself: `status` must not wait for it.
    from daemon.cli.quick.quick import answer

    code = answer(sys.argv[1:])
    if code is None:
        from daemon.cli.application import app

        app()
    return code


def _complain(error: Exception) -> None:
    from daemon.exit_codes import exit_code_of
    from daemon.terminal import complain
    from jobs import diagnosis
    from jobs.errors import of_the_machine

    # A full disk or a missing permission is nobody's bug: a sentence helps, a traceback does not.
    full = diagnosis.of_exception(error) if diagnosis.is_full(error) else None
    known = full or of_the_machine(error) or error
    code = exit_code_of(known)
    if code is None:
        raise known
    complain(known)
    sys.exit(code)
