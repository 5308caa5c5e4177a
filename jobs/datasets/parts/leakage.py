"""The leakage check: reads the written parts again and counts what of one part stands in another.

It trusts nothing that splitting knew: prompts, answers, group keys and near-duplicates are taken from the
files. Replayed examples stand in train.jsonl, so stage 2's test part is checked against them too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jobs.datasets.examples.example import Example, answer_core, code_digest, prompt_code
from jobs.datasets.pool.example_store import text_number
from jobs.datasets.pool.near_duplicates import NearIndex, sketch
from jobs.datasets.pool.scratch_db import NumberTable

CHECKED = ("prompt", "vulnerable_code", "answer", "group", "near_duplicate")
ACROSS = ("prompt", "vulnerable_code", "answer", "near_duplicate")


class LeakFound(RuntimeError):
    """The split let something through: a bug of ours, never a property of the data."""


class _ReadExamples:
    """What the parts read so far hold: digests and sketches, on disk in a scratch folder."""

    def __init__(self, folder: Path) -> None:
        self._held = NumberTable(folder / "digests.db")
        self._near = NearIndex(folder / "near.db")
        self._count = 0

    def leaks(self, example: Example) -> list[str]:
        """The kinds of which this example stands in the parts read before."""
        found = [
            kind
            for kind, digests in _digests(example).items()
            if any(number in self._held for number in digests)
        ]
        drawn = sketch(prompt_code(example.prompt))
        if drawn is not None and self._near.matches(drawn):
            found.append("near_duplicate")
        return found

    def add(self, example: Example) -> None:
        digests = _digests(example)
        (prompt,) = digests["prompt"]
        if not self._held.put(prompt):
            return  # one of weighting's copies
        for number in chain.from_iterable(digests.values()):
            self._held.put(number)
        drawn = sketch(prompt_code(example.prompt))
        if drawn is not None:
            self._near.add(self._count, drawn)
            self._count += 1

    def close(self) -> None:
        self._held.close()
        self._near.close()


@contextmanager
def _open_read_examples(folder: Path) -> Iterator[_ReadExamples]:
    """An empty one, with its files inside `folder` until the end."""
    with TemporaryDirectory(dir=folder, prefix=".seen-") as scratch:
        seen = _ReadExamples(Path(scratch))
        try:
            yield seen
        finally:
            seen.close()


def _digests(example: Example) -> dict[str, set[int]]:
    return {
        "prompt": {text_number(f"prompt:{example.prompt}")},
        "vulnerable_code": {text_number(f"code:{code_digest(prompt_code(example.prompt))}")},
        "answer": {text_number(f"answer:{code_digest(answer_core(example.answer))}")},
        "group": {text_number(f"group:{key}") for key in example.groups},
    }


def check(folder: Path) -> dict[str, Any]:
    """Check a finished folder of train.jsonl, valid.jsonl and test.jsonl.

    Returns:
        `checked` (the kinds looked for), `leaks` (their number) and `by_kind`.
    """
    leaks: Counter[str] = Counter()
    with _open_read_examples(folder) as seen:
        for part in ("train", "valid", "test"):
            if part != "train":
                for example in _examples(folder / f"{part}.jsonl"):
                    leaks.update(seen.leaks(example))
            for example in _examples(folder / f"{part}.jsonl"):
                seen.add(example)
    return {
        "checked": list(CHECKED),
        "leaks": leaks.total(),
        "by_kind": {kind: leaks[kind] for kind in CHECKED},
    }


def check_across(stage1_train: Path, stage2: Path) -> dict[str, Any]:
    """Check two stages against each other: what one trained on is not what the other is measured by.

    Args:
        stage1_train: Stage 1's train.jsonl; a valid.jsonl and test.jsonl beside it that are not there (it was
            kept alone) are empty.
        stage2: Stage 2's folder. Replayed examples stand in it on purpose: they are stage 1's.

    Returns:
        As `check`. Group keys of the stages are of different kinds and are not compared.
    """
    leaks: Counter[str] = Counter()
    stage2_train = stage2 / "train.jsonl"
    for train, other in ((stage1_train, stage2_train), (stage2_train, stage1_train)):
        with _open_read_examples(stage2) as seen:
            for example in _examples(train):
                seen.add(example)
            for part in ("valid", "test"):
                path = other.with_name(f"{part}.jsonl")
                for example in _examples(path) if path.is_file() else ():
                    leaks.update(kind for kind in seen.leaks(example) if kind in ACROSS)
    return {
        "checked": list(ACROSS),
        "leaks": leaks.total(),
        "by_kind": {kind: leaks[kind] for kind in ACROSS},
    }


def require_none(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result of `check` where it found nothing.

    Raises:
        LeakFound: It found something.
    """
    if result["leaks"]:
        raise LeakFound(f"The parts share {result['leaks']} times what they must not: {result['by_kind']}.")
    return result


def _examples(path: Path) -> Iterator[Example]:
    with path.open("rb") as stream:
        for line in stream:
            yield Example.from_json(json.loads(line))
