"""Assembling: distinct examples become train, valid and test files, with the numbers about them."""

from __future__ import annotations

import random
import shutil
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from jobs import files
from jobs.datasets.augment import Augmentation, varied
from jobs.datasets.example import Example
from jobs.datasets.finish import Finish
from jobs.datasets.leakage import check, check_across, require_none
from jobs.datasets.pool import ExamplePool
from jobs.datasets.replay import Stage1Train, replay_count
from jobs.datasets.split import PARTS, Fractions, Part, split
from jobs.datasets.weighting import row_counts

_OWN, _REPLAYED = "", "\0replay"  # no kind of augmentation has these names


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
class Plan:
    """Which example goes where, by its number in the pool: one part each, and its rows in train.jsonl."""

    members: dict[Part, list[int]]
    rows: list[int]  # numbers, with a copy for each further row
    augmented: list[tuple[int, str]]  # number and kind of each copy in other words
    replayed: list[int]  # offsets in stage 1's train.jsonl

    @property
    def own_rows(self) -> int:
        """Rows of train.jsonl that are not replayed."""
        return len(self.rows) + len(self.augmented)


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a pool: where each example went, and the numbers about it."""

    plan: Plan
    statistics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Making:
    """Everything that turns a pool into the three parts.

    Args:
        pool: The distinct examples.
        recipe: What decides the parts.
        finish: Measures augmentation's copies, and knows what was redacted.
        replay: What is mixed in; None for stage 1.
        folder: Is filled with the parts.
    """

    pool: ExamplePool
    recipe: Recipe
    finish: Finish
    replay: Replay | None
    folder: Path

    def made(self) -> Made:
        """Plan, write, check for leaks, count.

        Raises:
            LeakFound: The split let something through.
        """
        self.pool.close()
        augmentation = Augmentation(self.recipe.augmentation, self.finish, self.recipe.seed)
        plan = planned(self.pool, self.recipe, augmentation, self.replay)
        leakage = written(self.pool, plan, self.replay, self.folder, self.recipe.seed)
        if self.replay is not None:
            across = require_none(check_across(self.replay.stage1.path, self.folder))
            leakage = {**leakage, "across_stages": across}
        numbers = {
            **statistics(self.pool, plan, self.recipe),
            "augmentation": augmentation.to_json(),
            "redacted": self.finish.redactor.to_json(),
            "leakage": leakage,
        }
        return Made(plan, numbers)


def planned(pool: ExamplePool, recipe: Recipe, augmentation: Augmentation, replay: Replay | None) -> Plan:
    """Split, weight, augment and draw the replay; nothing is written."""
    slips = pool.slips
    parts = split(
        shared_keys([slip.keys for slip in slips]),
        [slip.stratum for slip in slips],
        recipe.fractions,
        recipe.seed,
    )
    members: dict[Part, list[int]] = {
        part: [number for number, own in enumerate(parts) if own == part] for part in PARTS
    }
    train = members["train"]
    counts = row_counts([slips[number].quality == "high" for number in train], recipe.multiplier, recipe.seed)
    rows = [number for number, count in zip(train, counts, strict=True) for _ in range(count)]
    plan = Plan(members, rows, augmentation.chosen(pool, train), [])
    if replay is not None:
        plan.replayed.extend(replay.stage1.draw(replay_count(replay.ratio, plan.own_rows), recipe.seed))
    return plan


def written(pool: ExamplePool, plan: Plan, replay: Replay | None, folder: Path, seed: int) -> dict[str, Any]:
    """Write the three parts into `folder` and check them for leaks.

    Returns:
        What `jobs.datasets.leakage.check` found: nothing.

    Raises:
        LeakFound: The split let something through.
    """
    files.private_folder(folder)
    order: list[tuple[str, int]] = [(_OWN, number) for number in plan.rows]
    order += [(kind, number) for number, kind in plan.augmented]
    order += [(_REPLAYED, offset) for offset in plan.replayed]
    random.Random(f"{seed}:order").shuffle(order)
    files.write_jsonl(folder / "train.jsonl", _rows(pool, replay, order))
    for part in ("valid", "test"):
        files.write_jsonl(folder / f"{part}.jsonl", (pool.read(number) for number in plan.members[part]))
    return require_none(check(folder))


def _rows(pool: ExamplePool, replay: Replay | None, order: list[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    for kind, place in order:
        if kind == _REPLAYED and replay is not None:
            yield replay.stage1.read(place)
        elif kind == _OWN:
            yield pool.read(place)
        elif (copy := varied(Example.from_json(pool.read(place)), kind)) is not None:
            yield copy.to_json()


def shared_keys(keys: list[array[int]]) -> list[list[int]]:
    """Of each example those keys that another one has too: the others hold nothing together (9 in 10)."""
    import numpy as np

    if not keys:
        return []
    every = np.concatenate([np.frombuffer(own, dtype=np.uint64) for own in keys])
    numbers, counts = np.unique(every, return_counts=True)
    shared = set(numbers[counts > 1].tolist())
    return [[key for key in own if key in shared] for own in keys]


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


def statistics(pool: ExamplePool, plan: Plan, recipe: Recipe) -> dict[str, Any]:
    """The numbers that both stages have in common; those of train.jsonl include weighting's copies."""
    return {
        "total_examples": len(pool.slips),
        "train_examples": plan.own_rows + len(plan.replayed),
        "validation_examples": len(plan.members["valid"]),
        "test_examples": len(plan.members["test"]),
        "unweighted_train_examples": len(plan.members["train"]),
        "quality_weighting": _weighting(pool, plan, recipe.multiplier),
        "token_lengths": _token_lengths([slip.tokens for slip in pool.slips]),
        "token_histogram": _token_histogram([slip.tokens for slip in pool.slips]),
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


def _token_histogram(lengths: list[int]) -> list[dict[str, int]]:
    """Distinct examples by length: `up_to` tokens, in steps of powers of two from 64 on."""
    counts = Counter(max(64, 1 << (length - 1).bit_length()) for length in lengths)
    bounds = [64]
    while bounds[-1] < max(counts):
        bounds.append(2 * bounds[-1])
    return [{"up_to": bound, "examples": counts[bound]} for bound in bounds]
