"""The command line of the proof that sectune learns."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.learn.show import exit_code, prove
from config.errors import SectuneError
from daemon import terminal
from daemon.demo.scene import find_openblas

SLOW = (
    "There is no OpenBLAS on this Linux: training will take about 30 times as long (10 hours and more).\n"
    "Install one (Debian: libopenblas0-pthread), or name one with --preload.\n"
)


def main() -> int:
    """Run the proof; the exit code says whether it reached its aim."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learn", description=__doc__)
    parser.add_argument("--home", type=Path, help="where to keep everything; a temporary folder by default")
    parser.add_argument(
        "--preload", type=Path, help="a fast BLAS for the training (training.preload_library)"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON as well")
    options = parser.parse_args()
    home = (options.home or Path(tempfile.mkdtemp(prefix="sectune-learn-"))).absolute()
    preload = options.preload or find_openblas()
    if preload is None and sys.platform == "linux":
        terminal.note(SLOW)
    try:
        found = prove(home, preload)
    except SectuneError as error:
        terminal.complain(error)
        return 1
    if options.json:
        terminal.emit_json(found)
    return exit_code(found)


if __name__ == "__main__":
    sys.exit(main())
