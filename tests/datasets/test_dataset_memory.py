"""Memory: what a build holds of an example is a few numbers; the example itself is on disk."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.children.request import to_json
from jobs.datasets.public.source import Source
from jobs.datasets.request import Stage1Request

FEW, MANY = 500, 3_000
MOST = 100  # bytes an example: 2 million more of them would take 200 MB
# What has a fixed size (caches, the portion that is sorted) is made small enough to be full at once, and what
# only waits for the collector does not count.
CHILD = """
import gc, json, sys, tracemalloc
from jobs.children.request import from_json
from jobs.datasets.examples import redaction
from jobs.datasets.pool import grouping, near_duplicates, scratch_db
from jobs.datasets.build import build_stage1
from jobs.datasets.request import Stage1Request
near_duplicates.CACHE_KIB = scratch_db.CACHE_KIB = 16
grouping.SORTED = grouping._BUFFERED = 256
redaction._REMEMBERED = 10
request = from_json(Stage1Request, json.loads(sys.argv[1]))
import datasets, transformers, numpy
gc.freeze()
tracemalloc.start()
stats = build_stage1(request, lambda *facts: gc.collect())
print(json.dumps([stats["total_examples"], tracemalloc.get_traced_memory()[1]]))
"""


def rows(made: SimpleNamespace, count: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(3)
    for number in range(count):
        lines = [
            f"    value_{chance.getrandbits(40):x} = load_{chance.getrandbits(40):x}(x)" for _ in range(12)
        ]
        before = "\n".join(["def work(x):", *lines, "    return x"])
        fixed = before.replace(lines[6], f"{lines[6]}.checked(x)")
        yield made.crossvul_row(
            number, vulnerable_code=before, fixed_code=fixed, file_pair_id=f"{number // 3}_{number % 3}"
        )


def built(made: SimpleNamespace, tokenizer: Path, folder: Path, count: int) -> tuple[int, int]:
    """The examples of a build of `count` rows, and its peak of memory in Python objects, in bytes."""
    source = made.write_lines(folder / "rows" / "train.jsonl", list(rows(made, count))).parent
    request = Stage1Request(
        out=folder / "out", tokenizer=tokenizer, max_seq_length=4096, seed=1, valid_fraction=0.1,
        test_fraction=0.1, quality_weight_multiplier=2.5, context_lines=4,
        sources=(Source("crossvul", str(source)),),
    )  # fmt: skip
    command = [sys.executable, "-c", CHILD, json.dumps(to_json(request))]
    examples, peak = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return examples, peak


@pytest.mark.slow
def test_a_build_holds_less_than_a_hundred_bytes_of_each_example(
    made: SimpleNamespace, tokenizer: Path, tmp_path: Path
) -> None:
    few, small = built(made, tokenizer, tmp_path / "few", FEW)
    many, large = built(made, tokenizer, tmp_path / "many", MANY)
    assert (few, many) == (FEW, MANY)
    assert (large - small) / (many - few) < MOST, (small, large)
