"""The split: train, valid and test, grouped so that nothing leaks, stratified, seeded.

Rule for small sets: from ten examples on there is at least one test and one validation example (where their
fractions are above zero and there are groups enough); train is never empty.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

PartName = Literal["train", "valid", "test"]
PARTS: tuple[PartName, ...] = ("train", "valid", "test")
SMALLEST_WITH_TEST = 10
_TRAIN, _VALID, _TEST = range(len(PARTS))


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

    def of(self, part: PartName) -> float:
        """The share of a part."""
        return {"valid": self.valid, "test": self.test, "train": 1 - self.valid - self.test}[part]


def split(roots: Sequence[int], strata: Sequence[str], fractions: Fractions, seed: int) -> bytearray:
    """Place every example in one part.

    Args:
        roots: For each example the first one of its group, as `Grouping.roots` gives it.
        strata: For each example the stratum whose proportions are kept.
        fractions: The shares asked for.
        seed: The only source of chance.

    Returns:
        The part of each example, by its place in PARTS, in the order given. A group is in one part.
    """
    # Whatever is known of an example or a group stands at its number in an array of its own: 4 bytes where
    # an entry of a dict takes 90. An example that is no group's first has size 0.
    sizes = array("I", bytes(4 * len(roots)))
    for root in roots:
        sizes[root] += 1
    groups = _Groups(sizes, bytearray(len(roots)), array("I"))
    groups.fill(_by_stratum(roots, sizes, strata), fractions, seed)
    if len(roots) >= SMALLEST_WITH_TEST:
        groups.fill_if_empty(fractions)
    return groups.parts_of(roots)


def _by_stratum(roots: Sequence[int], sizes: array[int], strata: Sequence[str]) -> dict[str, array[int]]:
    """Groups by the stratum that most of their members have (the first by name among equals), ascending."""
    names = sorted(set(strata))
    places = {name: place for place, name in enumerate(names)}
    counts = array("I", bytes(4 * len(roots) * len(names)))
    for root, name in zip(roots, strata, strict=True):
        counts[root * len(names) + places[name]] += 1
    found = {name: array("I") for name in names}
    for root, size in enumerate(sizes):
        if size:
            own = counts[root * len(names) : (root + 1) * len(names)]
            found[names[own.index(max(own))]].append(root)
    return found


@dataclass(frozen=True, slots=True)
class _Groups:
    """Groups by their first members, and where they are placed.

    Args:
        sizes: Of each group, at the place of its first member; 0 at the others'.
        parts: As `sizes`, the part.
        order: The first members of the placed groups, in the order of placing.
    """

    sizes: array[int]
    parts: bytearray
    order: array[int]

    def fill(self, by_stratum: dict[str, array[int]], fractions: Fractions, seed: int) -> None:
        """Fill the parts stratum by stratum; what rounding or large groups left open is carried on."""
        filled = [0] * len(PARTS)
        seen = 0
        for name, roots in by_stratum.items():
            random.Random(f"{seed}:split:{name}").shuffle(roots)
            seen += sum(self.sizes[root] for root in roots)
            open_places = {
                part: round(seen * fractions.of(PARTS[part])) - filled[part] for part in (_TEST, _VALID)
            }
            for root in roots:
                size = self.sizes[root]
                part = next((part for part in open_places if size <= open_places[part]), _TRAIN)
                self.parts[root] = part
                filled[part] += size
                if part != _TRAIN:
                    open_places[part] -= size
            self.order.extend(roots)

    def fill_if_empty(self, fractions: Fractions) -> None:
        """Give a part that was to have something its one group: the smallest of train."""
        for part in (_TEST, _VALID):
            if fractions.of(PARTS[part]) == 0 or any(self.parts[root] == part for root in self.order):
                continue
            train = array("I", (root for root in self.order if self.parts[root] == _TRAIN))
            if len(train) >= 2:
                self.parts[min(train, key=self.sizes.__getitem__)] = part

    def parts_of(self, roots: Sequence[int]) -> bytearray:
        """The part of each example; train has all where nothing else would be left to it."""
        if all(self.parts[root] != _TRAIN for root in self.order):
            return bytearray(len(roots))
        return bytearray(self.parts[root] for root in roots)
