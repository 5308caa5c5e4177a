"""The split: train, valid and test, grouped so that nothing leaks, stratified, seeded.

Rule for small sets: from ten examples on there is at least one test and one validation example (where their
fractions are above zero and there are groups enough); train is never empty.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = ("train", "valid", "test")
SMALLEST_WITH_TEST = 10


@dataclass(frozen=True, slots=True)
class Fractions:
    """The shares of valid and test; train has the rest.

    Raises:
        ValueError: A share is negative, or nothing is left for train.
    """

    valid: float
    test: float

    def __post_init__(self) -> None:
        if self.valid < 0 or self.test < 0 or self.valid + self.test >= 1:
            raise ValueError(
                f"valid {self.valid} and test {self.test} must not be negative and leave train a share."
            )

    def of(self, part: Part) -> float:
        """The share of a part."""
        return {"valid": self.valid, "test": self.test, "train": 1 - self.valid - self.test}[part]


def split(
    keys: Sequence[Sequence[Hashable]], strata: Sequence[str], fractions: Fractions, seed: int
) -> list[Part]:
    """Place every example in one part.

    Args:
        keys: For each example the keys it must not be parted from its like by.
        strata: For each example the stratum whose proportions are kept.
        fractions: The shares asked for.
        seed: The only source of chance.

    Returns:
        The part of each example, in the order given. Two examples that share a key, directly or through
        others, are in the same part.
    """
    placed = _stratified(_by_stratum(components(keys), strata), fractions, seed)
    total = len(keys)
    if total >= SMALLEST_WITH_TEST:
        _fill_if_empty(placed, fractions)
    if not placed["train"]:
        placed = {"train": [*placed["valid"], *placed["test"]], "valid": [], "test": []}
    parts: list[Part] = ["train"] * total
    for part in PARTS:
        for group in placed[part]:
            for member in group:
                parts[member] = part
    return parts


def components(keys: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """Union-find: the positions that hang together through shared keys; everything ascending."""
    parent = list(range(len(keys)))

    def root(position: int) -> int:
        while parent[position] != position:
            parent[position] = parent[parent[position]]
            position = parent[position]
        return position

    owner: dict[Hashable, int] = {}
    for position, own in enumerate(keys):
        for key in own:
            one, other = root(owner.setdefault(key, position)), root(position)
            parent[max(one, other)] = min(one, other)
    groups: defaultdict[int, list[int]] = defaultdict(list)
    for position in range(len(keys)):
        groups[root(position)].append(position)
    return list(groups.values())


def _by_stratum(groups: list[list[int]], strata: Sequence[str]) -> dict[str, list[list[int]]]:
    """Groups by the stratum that most of their members have (the first by name among equals)."""
    found: defaultdict[str, list[list[int]]] = defaultdict(list)
    for group in groups:
        counts = Counter(strata[member] for member in group)
        found[min(counts, key=lambda name: (-counts[name], name))].append(group)
    return dict(sorted(found.items()))


def _stratified(
    by_stratum: dict[str, list[list[int]]], fractions: Fractions, seed: int
) -> dict[Part, list[list[int]]]:
    """Fill the parts stratum by stratum; what rounding or large groups left open is carried on."""
    placed: dict[Part, list[list[int]]] = {part: [] for part in PARTS}
    filled: Counter[Part] = Counter()
    seen = 0
    for name, groups in by_stratum.items():
        random.Random(f"{seed}:split:{name}").shuffle(groups)
        seen += sum(map(len, groups))
        open_places: dict[Part, int] = {
            part: round(seen * fractions.of(part)) - filled[part] for part in ("test", "valid")
        }
        for group in groups:
            part: Part = next((part for part in open_places if len(group) <= open_places[part]), "train")
            placed[part].append(group)
            filled[part] += len(group)
            if part != "train":
                open_places[part] -= len(group)
    return placed


def _fill_if_empty(placed: dict[Part, list[list[int]]], fractions: Fractions) -> None:
    wanted: tuple[Part, Part] = ("test", "valid")
    for part in wanted:
        if placed[part] or fractions.of(part) == 0 or len(placed["train"]) < 2:
            continue
        smallest = min(placed["train"], key=len)
        placed["train"].remove(smallest)
        placed[part].append(smallest)
