"""The leakage check: reads the written parts again and counts what of one part stands in another.

It trusts nothing that splitting knew: prompts, answers, group keys and near-duplicates are taken from the
files. Replayed examples stand in train.jsonl, so stage 2's test part is checked against them too.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.datasets.example import Example, code_digest, fenced_code, prompt_code
from jobs.datasets.near import NearIndex, sketch
from jobs.datasets.pool import text_digest

CHECKED = ("prompt", "vulnerable_code", "answer", "group", "near_duplicate")


class LeakFound(RuntimeError):
    """The split let something through: a bug of ours, never a property of the data."""


class _Seen:
    """What the parts read so far hold."""

    def __init__(self) -> None:
        self._digests: set[str] = set()
        self._near = NearIndex()
        self._count = 0

    def leaks(self, example: Example) -> list[str]:
        """The kinds of which this example stands in the parts read before."""
        found = [kind for kind, digests in _digests(example).items() if not self._digests.isdisjoint(digests)]
        drawn = sketch(prompt_code(example.prompt))
        if drawn is not None and self._near.matches(drawn):
            found.append("near_duplicate")
        return found

    def add(self, example: Example) -> None:
        digests = _digests(example)
        is_copy = self._digests.issuperset(digests["prompt"])
        self._digests.update(*digests.values())
        drawn = None if is_copy else sketch(prompt_code(example.prompt))
        if drawn is not None:
            self._near.add(self._count, drawn)
            self._count += 1


def _digests(example: Example) -> dict[str, set[str]]:
    return {
        "prompt": {f"prompt:{text_digest(example.prompt)}"},
        "vulnerable_code": {f"code:{code_digest(prompt_code(example.prompt))}"},
        "answer": {f"answer:{code_digest(fenced_code(example.answer))}"},
        "group": {f"group:{text_digest(key)}" for key in example.groups},
    }


def check(folder: Path) -> dict[str, Any]:
    """Check a finished folder of train.jsonl, valid.jsonl and test.jsonl.

    Returns:
        `checked` (the kinds looked for), `leaks` (their number) and `by_kind`.
    """
    seen = _Seen()
    leaks: Counter[str] = Counter()
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
