"""The BLAS that both sides of a benchmark use: MLX's own one on a Linux CPU is about 30 times slower."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from daemon.demo.scene import find_openblas

VARIABLE = "SECTUNE_BENCHMARK_BLAS"


def add_option(parser: argparse.ArgumentParser) -> None:
    """`--blas PATH`; by default what the variable names, or else the system's OpenBLAS."""
    given = os.environ.get(VARIABLE)
    parser.add_argument(
        "--blas",
        type=Path,
        default=Path(given) if given else find_openblas(),
        help=f"shared library to preload (also: {VARIABLE}); default: the system's OpenBLAS",
    )


def environment(library: Path | None) -> dict[str, str]:
    """This process's variables, with the library preloaded."""
    if library is None:
        return dict(os.environ)
    if not library.exists():
        sys.exit(f"{library} does not exist.")
    return {**os.environ, "LD_PRELOAD": str(library.resolve())}


def name(library: Path | None) -> str:
    """What a table says of it; without the folder, which is this machine's own."""
    threads = os.environ.get("OPENBLAS_NUM_THREADS")
    label = library.resolve().name if library else "MLX's own BLAS (slow on a Linux CPU)"
    return f"{label}, {threads} thread(s)" if threads else label


def restart_with(library: Path | None, module: str) -> None:
    """Start this process again with the library preloaded, unless it is."""
    if library is not None and os.environ.get("LD_PRELOAD") != str(library.resolve()):
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], environment(library))
