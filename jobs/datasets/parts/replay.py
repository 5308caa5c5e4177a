"""Replay: stage 1's training part, read again so that stage 2 forgets nothing; and what it knows already.

The ratio is of stage 2's own training rows: 0.15 of 100 rows is 15 replayed examples, whatever size stage 1
has.
"""

from __future__ import annotations

import json
import random
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.datasets.examples.example import Example, answer_core, code_digest, prompt_code
from jobs.datasets.examples.redaction import Redactor
from jobs.datasets.parts.augment import MARK as AUGMENTED
from jobs.datasets.pool.example_store import text_number
from jobs.datasets.pool.near_duplicates import NearIndex, sketch
from jobs.datasets.pool.scratch_db import NumberTable
from jobs.errors import OperatorError

MARK = "replay_from_stage1"


class _Known:
    """The codes and answers of some examples, and what is nearly the same; on disk, in a scratch folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._digests = NumberTable(folder / "digests.db")
        self._near = NearIndex(folder / "near.db")
        self._count = 0

    def add(self, example: Example) -> None:
        for digest in _digests(example):
            self._digests.put(digest)
        drawn = sketch(prompt_code(example.prompt))
        if drawn is not None:
            self._near.add(self._count, drawn)
            self._count += 1

    def holds(self, example: Example) -> bool:
        if any(digest in self._digests for digest in _digests(example)):
            return True
        drawn = sketch(prompt_code(example.prompt))
        return drawn is not None and bool(self._near.matches(drawn))

    def close(self) -> None:
        self._digests.close()
        self._near.close()


def _digests(example: Example) -> tuple[int, int]:
    return (
        text_number(f"code:{code_digest(prompt_code(example.prompt))}"),
        text_number(f"answer:{code_digest(answer_core(example.answer))}"),
    )


class Stage1Train:
    """The distinct examples of stage 1's train.jsonl: weighting's and augmentation's copies count once.

    The valid.jsonl and test.jsonl beside it are read too, where they are there: stage 2 must not train on
    what stage 1 is measured by, since it is measured again after stage 2.

    Args:
        path: The file; it is read once from end to end, and only places and digests are kept.
        scratch: A folder for the digests, until `close`.

    Raises:
        OperatorError: The file is not there or is no training data.
    """

    def __init__(self, path: Path, scratch: Path) -> None:
        self._path = path
        self._offsets = array("Q")
        self._trained, self._measured = _Known(scratch / "trained"), _Known(scratch / "measured")
        self._identities = NumberTable(scratch / "identities.db")
        self._redactor = Redactor()
        try:
            self._scan()
        except (OSError, ValueError, KeyError, IndexError) as error:
            message = f"Stage 1's training data cannot be read from {path}: {error!r}."
            self.close()
            raise OperatorError(message, "Build stage 1's dataset again, then stage 2's.") from error

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def _scan(self) -> None:
        for offset, example in _examples(self._path):
            identity = text_number(example.prompt + "\0" + example.answer)
            if AUGMENTED not in example.metadata and self._identities.put(identity):
                self._trained.add(example)
                self._offsets.append(offset)
        for part in ("valid", "test"):
            path = self._path.with_name(f"{part}.jsonl")
            for _, example in _examples(path) if path.is_file() else ():
                self._measured.add(example)

    def close(self) -> None:
        """Let go of the scratch files; drawing and reading need none."""
        for held in (self._trained, self._measured, self._identities):
            held.close()

    def holds(self, example: Example) -> bool:
        """Whether stage 1 trained on this code or answer, or on code that is nearly the same."""
        return self._trained.holds(example)

    def refusal(self, example: Example) -> str | None:
        """Why stage 2 may not use an example: stage 1 has it; None where it may."""
        if self._trained.holds(example):
            return "stands_in_stage1_train"
        return "stands_in_stage1_test" if self._measured.holds(example) else None

    def draw(self, wanted: int, seed: int) -> list[int]:
        """Offsets of `wanted` distinct examples (of all, where there are fewer), ascending."""
        chosen = random.Random(f"{seed}:replay").sample(self._offsets, min(wanted, len(self._offsets)))
        return sorted(chosen)

    def read(self, offset: int) -> dict[str, Any]:
        """A drawn example's JSON value, marked as replay; redacted, since its folder may be anybody's."""
        with self._path.open("rb") as stream:
            stream.seek(offset)
            value: dict[str, Any] = json.loads(stream.readline())
        clean = self._redactor.clean(Example.from_json(value)).to_json()
        return {**clean, "metadata": {**clean["metadata"], MARK: True}}


def _examples(path: Path) -> Iterator[tuple[int, Example]]:
    offset = 0
    with path.open("rb") as stream:
        for line in stream:
            yield offset, Example.from_json(json.loads(line))
            offset += len(line)


def replay_count(ratio: float, train_rows: int) -> int:
    """How many examples a ratio asks for: `ratio` of stage 2's own training rows, rounded."""
    return round(ratio * train_rows)
