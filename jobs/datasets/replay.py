"""Replay: stage 1's training part, read again so that stage 2 forgets nothing.

The ratio is of stage 2's own training rows: 0.15 of 100 rows is 15 replayed examples, whatever size stage 1
has.
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from jobs.datasets.example import Example, code_digest, fenced_code, prompt_code
from jobs.datasets.near import NearIndex, sketch
from jobs.datasets.pool import text_digest
from jobs.errors import OperatorError

MARK = "replay_from_stage1"


class Stage1Train:
    """The distinct examples of stage 1's train.jsonl: weighting's copies count once.

    Args:
        path: The file; it is read once from end to end, and only places and digests are kept.

    Raises:
        OperatorError: The file is not there or is no training data.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offsets: list[int] = []
        self._codes: set[str] = set()
        self._answers: set[str] = set()
        self._near = NearIndex()
        try:
            self._scan()
        except (OSError, ValueError, KeyError, IndexError) as error:
            message = f"Stage 1's training data cannot be read from {path}: {error!r}."
            raise OperatorError(message, "Build stage 1's dataset again, then stage 2's.") from error

    def __len__(self) -> int:
        return len(self._offsets)

    def _scan(self) -> None:
        seen: set[str] = set()
        offset = 0
        with self._path.open("rb") as stream:
            for line in stream:
                example = Example.from_json(json.loads(line))
                identity = text_digest(example.prompt + "\0" + example.answer)
                if identity not in seen:
                    seen.add(identity)
                    self._remember(example, offset)
                offset += len(line)

    def _remember(self, example: Example, offset: int) -> None:
        before = prompt_code(example.prompt)
        drawn = sketch(before)
        if drawn is not None:
            self._near.add(len(self._offsets), drawn)
        self._offsets.append(offset)
        self._codes.add(code_digest(before))
        self._answers.add(code_digest(fenced_code(example.answer)))

    def holds(self, example: Example) -> bool:
        """Whether stage 1 trained on this code or answer, or on code that is nearly the same."""
        before = prompt_code(example.prompt)
        if code_digest(before) in self._codes or code_digest(fenced_code(example.answer)) in self._answers:
            return True
        drawn = sketch(before)
        return drawn is not None and bool(self._near.matches(drawn))

    def draw(self, wanted: int, seed: int) -> list[int]:
        """Offsets of `wanted` distinct examples (of all, where there are fewer), ascending."""
        chosen = random.Random(f"{seed}:replay").sample(self._offsets, min(wanted, len(self._offsets)))
        return sorted(chosen)

    def read(self, offset: int) -> dict[str, Any]:
        """A drawn example's JSON value, marked as replay."""
        with self._path.open("rb") as stream:
            stream.seek(offset)
            value: dict[str, Any] = json.loads(stream.readline())
        return {**value, "metadata": {**value["metadata"], MARK: True}}


def replay_count(ratio: float, train_rows: int) -> int:
    """How many examples a ratio asks for: `ratio` of stage 2's own training rows, rounded."""
    return round(ratio * train_rows)
