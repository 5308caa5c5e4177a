"""Assembling: distinct examples become train, valid and test files, with the numbers about them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from jobs import files
from jobs.datasets.leakage import check, require_none
from jobs.datasets.pool import ExamplePool
from jobs.datasets.replay import Stage1Train, replay_count
from jobs.datasets.split import PARTS, Fractions, Part, split
from jobs.datasets.weighting import row_counts


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the parts: the shares of valid and test, the weight of high quality, the seed."""

    fractions: Fractions
    multiplier: float
    seed: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Where replayed examples come from, and how many for each own training row."""

    stage1: Stage1Train
    ratio: float


@dataclass(frozen=True, slots=True)
class Plan:
    """Which example goes where, by its number in the pool: one part each, and its rows in train.jsonl."""

    members: dict[Part, list[int]]
    rows: list[int]  # numbers, with a copy for each further row
    replayed: list[int]  # offsets in stage 1's train.jsonl


def planned(pool: ExamplePool, recipe: Recipe, replay: Replay | None) -> Plan:
    """Split, weight and draw the replay; nothing is read or written but the pool's index."""
    slips = pool.slips
    parts = split(
        [slip.keys for slip in slips], [slip.stratum for slip in slips], recipe.fractions, recipe.seed
    )
    members: dict[Part, list[int]] = {
        part: [number for number, own in enumerate(parts) if own == part] for part in PARTS
    }
    train = members["train"]
    counts = row_counts([slips[number].quality == "high" for number in train], recipe.multiplier, recipe.seed)
    rows = [number for number, count in zip(train, counts, strict=True) for _ in range(count)]
    replayed = (
        [] if replay is None else replay.stage1.draw(replay_count(replay.ratio, len(rows)), recipe.seed)
    )
    return Plan(members, rows, replayed)


def written(pool: ExamplePool, plan: Plan, replay: Replay | None, folder: Path, seed: int) -> dict[str, Any]:
    """Write the three parts into `folder` and check them for leaks.

    Returns:
        What `jobs.datasets.leakage.check` found: nothing.

    Raises:
        LeakFound: The split let something through.
    """
    files.private_folder(folder)
    order: list[tuple[bool, int]] = [(False, number) for number in plan.rows]
    order += [(True, offset) for offset in plan.replayed]
    random.Random(f"{seed}:order").shuffle(order)
    files.write_jsonl(folder / "train.jsonl", _rows(pool, replay, order))
    for part in ("valid", "test"):
        files.write_jsonl(folder / f"{part}.jsonl", (pool.read(number) for number in plan.members[part]))
    return require_none(check(folder))


def _rows(
    pool: ExamplePool, replay: Replay | None, order: list[tuple[bool, int]]
) -> Iterator[dict[str, Any]]:
    for is_replay, place in order:
        if is_replay and replay is not None:
            yield replay.stage1.read(place)
        else:
            yield pool.read(place)


@contextmanager
def scratch_beside(out: Path) -> Iterator[Path]:
    """A scratch folder beside `out`, gone at the end; what an interrupted build left there goes first."""
    files.private_folder(out.parent)
    for left in out.parent.glob(f".{out.name}.*.tmp"):
        shutil.rmtree(left)
    scratch = files.private_folder(files.temporary_beside(out))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)


def statistics(pool: ExamplePool, plan: Plan, recipe: Recipe) -> dict[str, Any]:
    """The numbers that both stages have in common; those of train.jsonl include weighting's copies."""
    return {
        "total_examples": len(pool.slips),
        "train_examples": len(plan.rows) + len(plan.replayed),
        "validation_examples": len(plan.members["valid"]),
        "test_examples": len(plan.members["test"]),
        "unweighted_train_examples": len(plan.members["train"]),
        "quality_weighting": _weighting(pool, plan, recipe.multiplier),
        "token_lengths": _token_lengths([slip.tokens for slip in pool.slips]),
        "seed": recipe.seed,
    }


def _weighting(pool: ExamplePool, plan: Plan, asked: float) -> dict[str, Any]:
    high = sum(pool.slips[number].quality == "high" for number in plan.members["train"])
    copies = len(plan.rows) - len(plan.members["train"])
    achieved = (high + copies) / high if high else None
    return {"asked": asked, "achieved": achieved, "weighted_examples": high, "copies": copies}


def _token_lengths(lengths: list[int]) -> dict[str, float]:
    """Tokens of the distinct examples, chat template included; percentiles by nearest rank."""
    ordered = sorted(lengths)
    return {
        "max": ordered[-1],
        "mean": round(sum(ordered) / len(ordered), 1),
        "p50": ordered[ceil(0.50 * len(ordered)) - 1],
        "p95": ordered[ceil(0.95 * len(ordered)) - 1],
    }
