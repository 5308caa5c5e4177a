"""The evaluation child: greedy answers of several models to the same cases, one line each.

Answers that an interrupted child left behind are kept.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx_lm import load as load_model

from jobs.children import entry
from jobs.children.entry import Assignment
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.mlx.reference_decoding import Generated, Prompt, StopCriteria, greedy_answers
from jobs.mlx.requests import AnsweringModel, AnsweringRequest
from jobs.mlx.training.examples import tokenise
from jobs.mlx.training.memory import is_out_of_memory

PARTIAL = "answers.partial.jsonl"
Prompts = dict[int, Prompt]
Record = Callable[[int, Generated], None]


def run(assignment: Assignment[AnsweringRequest]) -> dict[str, Any]:
    """Answer every case with every model.

    Returns:
        `cases` (asked), `all_cases` (in the part), and per model `seconds` and `batch_size` (what fitted;
        null where every answer was there already).
    """
    request = assignment.payload
    everything = list(files.read_jsonl(request.cases))
    rows = draw(everything, request.max_cases, request.seed)
    partial = assignment.work / PARTIAL
    rewrite_complete_lines(partial)
    seconds, sizes = {}, {}
    for model in request.models:
        began = time.monotonic()
        sizes[model.label] = _answer_missing(assignment, model, rows, partial)
        seconds[model.label] = time.monotonic() - began
    files.write_jsonl(request.answers, _in_order(request, partial))
    return {"cases": len(rows), "all_cases": len(everything), "seconds": seconds, "batch_size": sizes}


def draw(rows: list[dict[str, Any]], count: int | None, seed: int) -> list[tuple[int, dict[str, Any]]]:
    """(index, row) of `count` rows drawn with a seed, in the file's order; all of them for None."""
    indexed = list(enumerate(rows))
    if count is None or count >= len(rows):
        return indexed
    return sorted(random.Random(seed).sample(indexed, count), key=lambda item: item[0])


def rewrite_complete_lines(path: Path) -> None:
    """Drop a torn last line, or the next line would be appended to it."""
    files.write_jsonl(path, files.read_jsonl(path) if path.exists() else [])


def answer_all(model: Any, prompts: Prompts, batch_size: int, record: Record) -> int:
    """Answer every prompt, the longest first; what was recorded is not asked again.

    Returns:
        The batch size that fitted into memory.

    Raises:
        OperatorError: Not even one answer at a time fits.
    """
    missing = dict(sorted(prompts.items(), key=lambda item: -_room(item[1])))
    while missing:
        numbers = list(missing)
        try:
            for position, answer in greedy_answers(model, list(missing.values()), batch_size):
                record(numbers[position], answer)
                del missing[numbers[position]]
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if batch_size == 1:
                raise OperatorError(
                    f"Out of memory with a single answer: {error}", "Use a smaller or quantised base model."
                ) from error
            batch_size //= 2
        mx.clear_cache()
    return batch_size


def _room(prompt: Prompt) -> int:
    return len(prompt.tokens) + prompt.stop.max_tokens


def _answer_missing(
    assignment: Assignment[AnsweringRequest],
    choice: AnsweringModel,
    rows: list[tuple[int, dict[str, Any]]],
    partial: Path,
) -> int | None:
    request, label = assignment.payload, choice.label
    done = {row["index"] for row in files.read_jsonl(partial) if row["model"] == label}
    missing = [item for item in rows if item[0] not in done]
    if not missing:
        return None
    model, tokenizer = load_model(
        str(request.model), adapter_path=str(choice.adapters) if choice.adapters else None
    )
    labels = [each.label for each in request.models]
    before = labels.index(label) * len(rows) + len(done)

    def record(index: int, answer: Generated) -> None:
        nonlocal before
        before += 1
        files.append_jsonl(partial, _line(label, index, answer, tokenizer))
        assignment.report(phase=f"answers of {label}", iteration=before, iterations=len(labels) * len(rows))

    return answer_all(
        model,
        {index: _prompt(tokenizer, row, request.extra_tokens) for index, row in missing},
        request.batch_size,
        record,
    )


def _prompt(tokenizer: Any, row: dict[str, Any], extra_tokens: int) -> Prompt:
    tokens, start = tokenise(tokenizer, row["messages"])
    # Its own reference sets its limit, so that an answer is the same whichever cases are asked beside it.
    stop = StopCriteria(frozenset(tokenizer.eos_token_ids), len(tokens) - start + extra_tokens)
    return Prompt(tokens[:start], tokens[start:], stop)


def _line(label: str, index: int, answer: Generated, tokenizer: Any) -> dict[str, Any]:
    return {
        "model": label,
        "index": index,
        "text": tokenizer.decode(answer.tokens),
        "tokens": len(answer.tokens),
        "truncated": answer.truncated,
        "drafted": answer.accepted,
    }


def _in_order(request: AnsweringRequest, partial: Path) -> list[dict[str, Any]]:
    labels = [model.label for model in request.models]
    return sorted(files.read_jsonl(partial), key=lambda row: (labels.index(row["model"]), row["index"]))


if __name__ == "__main__":
    entry.main(run, AnsweringRequest)
