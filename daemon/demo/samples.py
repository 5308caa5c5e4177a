"""Rows of our own with the true columns of CrossVul and CVEfixes: `python -m daemon.demo.samples DIR`."""

from __future__ import annotations

import argparse
from pathlib import Path

from daemon.demo.crossvul_sample import crossvul_rows
from daemon.demo.cvefixes_sample import cvefixes_rows
from jobs.fs.files import write_jsonl


def write_samples(folder: Path) -> dict[str, int]:
    """Write both samples below a folder.

    Args:
        folder: Gets `crossvul/train.jsonl` and `cvefixes/train.jsonl`.

    Returns:
        The number of rows of each.
    """
    written = {}
    for name, rows in (("crossvul", crossvul_rows()), ("cvefixes", cvefixes_rows())):
        (folder / name).mkdir(parents=True, exist_ok=True)
        written[name] = write_jsonl(folder / name / "train.jsonl", rows)
    return written


def main() -> None:
    """Write the samples to the folder named on the command line."""
    parser = argparse.ArgumentParser(prog="python -m daemon.demo.samples", description=__doc__)
    parser.add_argument("folder", type=Path)
    write_samples(parser.parse_args().folder)


if __name__ == "__main__":
    main()
