"""Assembling: distinct examples become train, valid and test files, with the numbers about them."""

from __future__ import annotations

import random
import shutil
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from math import ceil
from pathlib import Path
from typing import Any

from jobs.datasets.examples.example import Example
from jobs.datasets.examples.finalize import Finalizer
from jobs.datasets.parts.augment import KINDS, Augmentation, vary
from jobs.datasets.parts.leakage import check, check_across, require_none
from jobs.datasets.parts.replay import Stage1Train, replay_count
from jobs.datasets.parts.split import PARTS, Fractions, PartName, split
from jobs.datasets.parts.weighting import row_counts
from jobs.datasets.pool.example_store import ExamplePool
from jobs.fs import files

_OWN, _REPLAYED = "own", "replayed"  # beside the kinds of augmentation
_ROW_KINDS = (_OWN, _REPLAYED, *KINDS)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the parts.

    Args:
        fractions: The shares of valid and test.
        multiplier: The weight of high quality.
        seed: The only source of chance.
        augmentation: Copies in other words of each training example, at most.
    """

    fractions: Fractions
    multiplier: float
    seed: int
    augmentation: int = 0


@dataclass(frozen=True, slots=True)
class Replay:
    """Where replayed examples come from, and how many for each own training row."""

    stage1: Stage1Train
    ratio: float


@dataclass(frozen=True, slots=True)
class PartsPlan:
    """Which example goes where, by its number in the pool: one part each, and its rows in train.jsonl."""

    members: dict[PartName, array[int]]
    rows: array[int]  # numbers, with a copy for each further row
    augmented: array[int]  # a packed row (see `_packed`) for each copy in other words
    replayed: list[int]  # offsets in stage 1's train.jsonl

    @property
    def own_rows(self) -> int:
        """Rows of train.jsonl that are not replayed."""
        return len(self.rows) + len(self.augmented)


def _pack_row(kind: str, number: int) -> int:
    """A row of train.jsonl as one integer: what is done with the example, and its number or offset.

    The order of all rows is shuffled as a whole: 300,000 of them take 2.4 MB so, and 28 MB as tuples.
    """
    return number * len(_ROW_KINDS) + _ROW_KINDS.index(kind)


def _unpack_row(row: int) -> tuple[str, int]:
    number, kind = divmod(row, len(_ROW_KINDS))
    return _ROW_KINDS[kind], number


@dataclass(frozen=True, slots=True)
class BuiltParts:
    """What became of a pool: where each example went, and the numbers about it."""

    plan: PartsPlan
    statistics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Assembly:
    """Everything that turns a pool into the three parts.

    Args:
        pool: The distinct examples.
        recipe: What decides the parts.
        finalizer: Measures augmentation's copies, and knows what was redacted.
        replay: What is mixed in; None for stage 1.
        folder: Is filled with the parts.
    """

    pool: ExamplePool
    recipe: Recipe
    finalizer: Finalizer
    replay: Replay | None
    folder: Path

    def build(self) -> BuiltParts:
        """Plan, write, check for leaks, count.

        Raises:
            LeakFound: The split let something through.
        """
        self.pool.seal()
        augmentation = Augmentation(self.recipe.augmentation, self.finalizer, self.recipe.seed)
        plan = make_plan(self.pool, self.recipe, augmentation, self.replay)
        leakage = write_parts(self.pool, plan, self.replay, self.folder, self.recipe.seed)
        if self.replay is not None:
            across = require_none(check_across(self.replay.stage1.path, self.folder))
            leakage = {**leakage, "across_stages": across}
        numbers = {
            **statistics(self.pool, plan, self.recipe),
            "augmentation": augmentation.to_json(),
            "redacted": self.finalizer.redactor.to_json(),
            "leakage": leakage,
        }
        return BuiltParts(plan, numbers)


def make_plan(
    pool: ExamplePool, recipe: Recipe, augmentation: Augmentation, replay: Replay | None
) -> PartsPlan:
    """Split, weight, augment and draw the replay; nothing is written."""
    parts = split(pool.roots(), pool.strata, recipe.fractions, recipe.seed)
    members = {
        part: array("I", (number for number, own in enumerate(parts) if PARTS[own] == part)) for part in PARTS
    }
    train = members["train"]
    counts = row_counts(bytearray(map(pool.is_high, train)), recipe.multiplier, recipe.seed)
    rows = array("I", (number for number, count in zip(train, counts, strict=True) for _ in range(count)))
    augmented = array(
        "Q", (_pack_row(kind, number) for number, kind in augmentation.choose_copies(pool, train))
    )
    plan = PartsPlan(members, rows, augmented, [])
    if replay is not None:
        plan.replayed.extend(replay.stage1.draw(replay_count(replay.ratio, plan.own_rows), recipe.seed))
    return plan


def write_parts(
    pool: ExamplePool, plan: PartsPlan, replay: Replay | None, folder: Path, seed: int
) -> dict[str, Any]:
    """Write the three parts into `folder` and check them for leaks.

    Returns:
        What `jobs.datasets.parts.leakage.check` found: nothing.

    Raises:
        LeakFound: The split let something through.
    """
    files.private_folder(folder)
    order = array("Q", (_pack_row(_OWN, number) for number in plan.rows))
    order.extend(plan.augmented)
    order.extend(_pack_row(_REPLAYED, offset) for offset in plan.replayed)
    random.Random(f"{seed}:order").shuffle(order)
    files.write_jsonl(folder / "train.jsonl", _rows(pool, replay, order))
    for part in ("valid", "test"):
        files.write_jsonl(folder / f"{part}.jsonl", (pool.read(number) for number in plan.members[part]))
    return require_none(check(folder))


def _rows(pool: ExamplePool, replay: Replay | None, order: array[int]) -> Iterator[dict[str, Any]]:
    for kind, number in map(_unpack_row, order):
        if kind == _REPLAYED and replay is not None:
            yield replay.stage1.read(number)
        elif kind == _OWN:
            yield pool.read(number)
        elif (copy := vary(Example.from_json(pool.read(number)), kind)) is not None:
            yield copy.to_json()


@contextmanager
def scratch_beside(out: Path) -> Iterator[Path]:
    """A scratch folder beside `out`, gone at the end; what an interrupted build left there goes first.

    Its name is none that `files.replace_folder` clears away beside `out`: the finished parts come out of it.
    """
    files.private_folder(out.parent)
    place = out.with_name(f"{out.name}-scratch")
    for left in files.temporaries(out.parent, place.name):
        shutil.rmtree(left)
    scratch = files.private_folder(files.temporary_beside(place))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch)


def statistics(pool: ExamplePool, plan: PartsPlan, recipe: Recipe) -> dict[str, Any]:
    """The numbers that both stages have in common; those of train.jsonl include weighting's copies."""
    return {
        "total_examples": len(pool),
        "train_examples": plan.own_rows + len(plan.replayed),
        "validation_examples": len(plan.members["valid"]),
        "test_examples": len(plan.members["test"]),
        "unweighted_train_examples": len(plan.members["train"]),
        "quality_weighting": _weighting(pool, plan, recipe.multiplier),
        "token_lengths": _token_lengths(pool.lengths),
        "token_histogram": _token_histogram(pool.lengths),
        "seed": recipe.seed,
    }


def _weighting(pool: ExamplePool, plan: PartsPlan, asked: float) -> dict[str, Any]:
    high = sum(map(pool.is_high, plan.members["train"]))
    copies = len(plan.rows) - len(plan.members["train"])
    achieved = (high + copies) / high if high else None
    return {"asked": asked, "achieved": achieved, "weighted_examples": high, "copies": copies}


def _token_lengths(counts: Counter[int]) -> dict[str, float]:
    """Tokens of the distinct examples, chat template included; percentiles by nearest rank."""
    total = counts.total()
    return {
        "max": max(counts),
        "mean": round(sum(length * count for length, count in counts.items()) / total, 1),
        "p50": _length_at_rank(counts, ceil(0.50 * total)),
        "p95": _length_at_rank(counts, ceil(0.95 * total)),
    }


def _length_at_rank(counts: Counter[int], rank: int) -> int:
    """The length that the example of this rank has, from 1 for the shortest on."""
    lengths = sorted(counts)
    return lengths[bisect_left(list(accumulate(map(counts.__getitem__, lengths))), rank)]


def _token_histogram(lengths: Counter[int]) -> list[dict[str, int]]:
    """Distinct examples by length: `up_to` tokens, in steps of powers of two from 64 on."""
    counts: Counter[int] = Counter()
    for length, count in lengths.items():
        counts[max(64, 1 << (length - 1).bit_length())] += count
    bounds = [64]
    while bounds[-1] < max(counts):
        bounds.append(2 * bounds[-1])
    return [{"up_to": bound, "examples": counts[bound]} for bound in bounds]
