"""Tokenised examples: tokenised once, kept as plain arrays that are memory-mapped afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs.errors import ChildFailed
from jobs.fs import files


@dataclass(frozen=True)
class Encoded:
    """One example: its tokens and the position of its answer's first token."""

    tokens: np.ndarray
    answer: int


class Examples:
    """The tokenised examples of one JSONL part.

    Args:
        folder: Where `encode` put the arrays.
    """

    def __init__(self, folder: Path) -> None:
        self._tokens = np.load(folder / "tokens.npy", mmap_mode="r")
        self._ends = np.load(folder / "ends.npy")
        self._answers = np.load(folder / "answers.npy")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> Encoded:
        start = int(self._ends[index - 1]) if index else 0
        return Encoded(self._tokens[start : self._ends[index]], int(self._answers[index]))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens per example."""
        return np.diff(self._ends, prepend=0)

    @property
    def answer_tokens(self) -> int:
        """Tokens that carry loss, over all examples."""
        return int((self.lengths - self._answers).sum())


def tokenise(tokenizer: Any, messages: list[dict[str, str]]) -> tuple[list[int], int]:
    """A conversation's tokens, and the position of its answer's first token."""
    tokens = list(tokenizer.apply_chat_template(messages, return_dict=False))
    prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, return_dict=False)
    return tokens, len(prompt)


def open_examples(
    path: Path, tokenizer: Any, cache: Path, max_seq_length: int, mask_prompt: bool
) -> Examples:
    """The examples of a JSONL part, tokenised now or, by the same child before it died, earlier.

    Args:
        path: A file of `{"messages": [...]}` rows.
        tokenizer: The training tokenizer, with a chat template.
        cache: A folder of this child's own for the arrays.
        max_seq_length: No example may be longer; the data set builder saw to that.
        mask_prompt: Whether the loss covers the answer only.

    Raises:
        ChildFailed: An example is longer than `max_seq_length`; cutting it would cut its answer.
    """
    key = files.sha256_json([files.sha256_file(path), mask_prompt])
    folder = cache / f"{path.stem}-{key[:16]}"
    if not folder.exists():
        staging = files.private_folder(files.temporary_beside(folder))
        encode((tokenise(tokenizer, row["messages"]) for row in files.read_jsonl(path)), staging, mask_prompt)
        files.replace_folder(staging, folder)
    examples = Examples(folder)
    longest = int(examples.lengths.max(initial=0))
    if longest > max_seq_length:
        raise ChildFailed(f"{path} holds an example of {longest} tokens; {max_seq_length} are allowed.")
    return examples


def encode(rows: Iterable[tuple[list[int], int]], folder: Path, mask_prompt: bool) -> None:
    """Write examples as `tokens` (all behind one another), `ends` and `answers`."""
    tokens, ends, answers = [np.zeros(0, np.int32)], [], []
    total = 0
    for row, answer in rows:
        tokens.append(np.asarray(row, np.int32))
        total += len(row)
        ends.append(total)
        answers.append(answer if mask_prompt else 1)
    np.save(folder / "tokens.npy", np.concatenate(tokens))
    np.save(folder / "ends.npy", np.asarray(ends, np.int64))
    np.save(folder / "answers.npy", np.asarray(answers, np.int64))
