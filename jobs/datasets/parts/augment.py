"""Augmentation: the same question in other words; only prose outside fences changes, never the answer.

Copies are made of training examples alone, after the split, and stand beside their origin in train.jsonl:
valid and test measure what was asked, not how. Each kind leaves every fact in the prompt that the answer
needs.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from jobs.datasets.examples.example import Example
from jobs.datasets.examples.finalize import Finalizer
from jobs.datasets.pool.example_store import ExamplePool

MARK = "augmented"
_FENCE = "```"
_LABELS = {
    "CWE": "Weakness",
    "Language": "Written in",
    "Description": "Background",
    "Inside": "Enclosed by",
    "Rule": "Scanner rule",
    "Problem": "Reported problem",
    "Package": "Dependency",
    "Installed": "Installed version",
    "Fixed in": "Fixed versions",
    "Manifest": "Declared in",
}
# Prose about the vulnerability at large: the code and the other facts determine the answer without it.
_OPTIONAL = ("Description: ",)


def _ask_politely(lines: list[str]) -> list[str] | None:
    task = lines[0]
    return [f"Please {task[0].lower()}{task[1:]}", *lines[1:]] if task[:1].isupper() else None


def _reorder_facts(lines: list[str]) -> list[str] | None:
    facts = lines[1:]
    return [lines[0], *facts[1:], facts[0]] if len(set(facts)) > 1 else None


def _rename_labels(lines: list[str]) -> list[str] | None:
    changed = [lines[0], *map(_other_label, lines[1:])]
    return None if changed == lines else changed


def _other_label(line: str) -> str:
    label, colon, rest = line.partition(": ")
    return f"{_LABELS[label]}{colon}{rest}" if colon and label in _LABELS else line


def _leave_out_prose(lines: list[str]) -> list[str] | None:
    kept = [line for line in lines if not line.startswith(_OPTIONAL)]
    return kept if len(kept) < len(lines) else None


KINDS: dict[str, Callable[[list[str]], list[str] | None]] = {
    "courteous": _ask_politely,
    "reordered": _reorder_facts,
    "relabelled": _rename_labels,
    "terse": _leave_out_prose,
}


def vary(example: Example, kind: str) -> Example | None:
    """The example asked in another way; None where this kind has nothing to change.

    Args:
        example: Its prompt is prose (the task, then one fact a line), an empty line, then the first fence.
        kind: One of KINDS.
    """
    prose, separator, fenced = example.prompt.partition(f"\n\n{_FENCE}")
    lines = KINDS[kind](prose.split("\n"))
    if lines is None or not separator or _FENCE in prose:
        return None
    system, user, *answer = example.messages
    changed = {**user, "content": "\n".join(lines) + separator + fenced}
    return replace(example, messages=(system, changed, *answer), metadata={**example.metadata, MARK: kind})


class Augmentation:
    """Which copies a training part gets.

    Args:
        copies: At most this many copies of each example, each of another kind.
        finalizer: Measures a copy; one that does not fit is not made.
        seed: The only source of chance.
    """

    def __init__(self, copies: int, finalizer: Finalizer, seed: int) -> None:
        self._copies = copies
        self._finalizer = finalizer
        self._seed = seed
        self._made: Counter[str] = Counter()
        self._train = 0

    def choose_copies(self, pool: ExamplePool, train: Sequence[int]) -> Iterator[tuple[int, str]]:
        """The number in the pool and the kind of every copy to make."""
        self._train = len(train)
        for number in train if self._copies else ():
            for kind in self._kinds(pool, number):
                self._made[kind] += 1
                yield number, kind

    def _kinds(self, pool: ExamplePool, number: int) -> list[str]:
        example = Example.from_json(pool.read(number))
        order = random.Random(f"{self._seed}:augmentation:{number}").sample(sorted(KINDS), len(KINDS))
        fitting: list[str] = []
        for kind in order:
            copy = vary(example, kind)
            if copy is not None and self._finalizer.length_if_fitting(copy):
                fitting.append(kind)
            if len(fitting) == self._copies:
                break
        return fitting

    def to_json(self) -> dict[str, Any]:
        """Copies asked for each example, those made by kind, and those that no kind could make."""
        made = {kind: self._made[kind] for kind in KINDS}
        return {
            "asked": self._copies,
            "made": made,
            "not_made": self._copies * self._train - sum(made.values()),
        }
