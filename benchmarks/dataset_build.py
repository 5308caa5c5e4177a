"""Measures stage 1's data set builder on made-up sources of the true shape: its peak memory, and its time.

    python -m benchmarks.dataset_build [--scale 1.0] [--json] [--keep FOLDER]

The sources have the columns, sizes and oddities of CrossVul and CVEfixes (docs/DATA.md): 22,300 rows at
scale 1, heavy-tailed lengths, one field of 50 MB, nulls, "nan", repr lists, several rows for one change, and
changes that both sources have. The builder runs as it does in a run, as a child process. The yardstick
iterates the same rows through `datasets` and tokenises once the code columns that the builder reads. Both
happen in the same run, so that a busy machine slows both; processor time is given too, since others' load
does not move it. The builder's figures hold its interpreter's start and imports, the yardstick's do not.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.made_rows import generate

MEMORY_LIMIT_MB, TIME_LIMIT = 600, 3.0
MAX_SEQ_LENGTH = 2_048


def yardstick(folder: Path) -> dict[str, Any]:
    """Iterate both sources and tokenise the columns that the builder reads, once."""
    from datasets import load_dataset
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True)
    shards = sorted(str(path) for path in (folder / "cvefixes" / "data").iterdir())
    begun, begun_cpu, rows, tokens = time.monotonic(), time.process_time(), 0, 0
    options: dict[str, Any] = {"split": "train", "streaming": True, "cache_dir": str(folder / "hf-cache")}
    for line in load_dataset("text", data_files=str(folder / "crossvul" / "train.jsonl"), **options):
        row = json.loads(line["text"])
        rows += 1
        tokens += sum(len(tokenizer(row[name] or "").input_ids) for name in ("vulnerable_code", "fixed_code"))
    for row in load_dataset("parquet", data_files=shards, **options):
        rows += 1
        tokens += len(tokenizer(row["diff_with_context"] or "").input_ids)
    return {
        "seconds": time.monotonic() - begun,
        "cpu_seconds": time.process_time() - begun_cpu,
        "rows": rows,
        "tokens": tokens,
        "peak_mb": _peak_mb("self"),
    }


def build(folder: Path) -> dict[str, Any]:
    """Build stage 1 in its child process, as a run does."""
    from jobs.children import parent
    from jobs.children.task import Task

    shutil.rmtree(folder / "work", ignore_errors=True)  # the receipt of an earlier measurement is no answer
    task = Task("jobs.datasets.child", folder / "work", _payload(folder), folder / "build.log")
    begun = time.monotonic()
    stats = parent.drive(task, lambda _facts: None, lambda: False)
    seconds = time.monotonic() - begun
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    return {"seconds": seconds, "cpu_seconds": cpu, "peak_mb": _peak_mb("children"), "stats": stats}


def _payload(folder: Path) -> dict[str, Any]:
    from jobs.children.request import to_json
    from jobs.datasets.public.source import Source as PublicSource
    from jobs.datasets.request import BuildMessage, Stage1Request

    request = Stage1Request(
        out=folder / "out" / "training-data",
        tokenizer=folder / "tokenizer",
        max_seq_length=MAX_SEQ_LENGTH,
        seed=42,
        valid_fraction=0.1,
        test_fraction=0.1,
        quality_weight_multiplier=2.5,
        context_lines=8,
        sources=(
            PublicSource("crossvul", str(folder / "crossvul")),
            PublicSource("cvefixes", str(folder / "cvefixes")),
        ),
    )
    return to_json(BuildMessage(request=request))


def _peak_mb(whose: str) -> float:
    """Peak resident memory in MB (10^6 bytes) of this process, or of the largest child that has ended."""
    who = resource.RUSAGE_SELF if whose == "self" else resource.RUSAGE_CHILDREN
    peak = resource.getrusage(who).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def measured(folder: Path) -> dict[str, Any]:
    """The yardstick, the builder and the yardstick again, each in a process of its own."""
    first, built, second = (_in_a_process(mode, folder) for mode in ("yardstick", "build", "yardstick"))
    stats = built["stats"]
    wall, cpu = (2 * built[unit] / (first[unit] + second[unit]) for unit in ("seconds", "cpu_seconds"))
    return {
        "rows": first["rows"],
        "source_mb": round(sum(path.stat().st_size for path in folder.rglob("train*")) / 1e6, 1),
        "tokens": first["tokens"],
        "yardstick_seconds": [round(first["seconds"], 2), round(second["seconds"], 2)],
        "build_seconds": round(built["seconds"], 2),
        "yardstick_cpu_seconds": [round(first["cpu_seconds"], 2), round(second["cpu_seconds"], 2)],
        "build_cpu_seconds": round(built["cpu_seconds"], 2),
        "ratio": round(wall, 2),
        "cpu_ratio": round(cpu, 2),
        "ratio_limit": TIME_LIMIT,
        "peak_mb": round(built["peak_mb"], 1),
        "peak_limit_mb": MEMORY_LIMIT_MB,
        "yardstick_peak_mb": round(first["peak_mb"], 1),
        "examples": stats["total_examples"],
        "dropped": stats["dropped"],
        "redacted": stats["redacted"],
        "met": max(wall, cpu) <= TIME_LIMIT and built["peak_mb"] <= MEMORY_LIMIT_MB,
    }


def _in_a_process(mode: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.dataset_build", "--only", mode, "--keep", str(folder)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    value: dict[str, Any] = json.loads(output)
    return value


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="1.0 is 22,300 rows")
    parser.add_argument("--keep", type=Path, help="make the sources here and leave them, or use those there")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--only", choices=("generate", "yardstick", "build"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only in ("yardstick", "build"):
        _print({"yardstick": yardstick, "build": build}[options.only](options.keep), as_json=True)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        if not (folder / "tokenizer").is_dir():
            generate(folder, options.scale)
        if options.only is None:
            figures = measured(folder)
            _print(figures, as_json=options.json)
            sys.exit(0 if figures["met"] else 1)


def _print(value: dict[str, Any], *, as_json: bool) -> None:
    text = json.dumps(value) if as_json else "\n".join(f"{name:20} {fact}" for name, fact in value.items())
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
