"""The evaluation child: greedy answers of several models to the same cases, one line each.

Request: `model`, `models` (label and adapter folder or null each), `cases` (a JSONL part), `answers`
(the file to write), `max_cases` (null: all), `seed` (of the draw), `extra_tokens`.
Answers that an interrupted child left behind are kept.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

from mlx_lm import load as load_model

from jobs import child, files
from jobs.child import Assignment
from jobs.mlx.answers import Ending, greedy
from jobs.mlx.examples import tokenise

PARTIAL = "answers.partial.jsonl"


def run(assignment: Assignment) -> dict[str, Any]:
    """Answer every case with every model.

    Returns:
        Counts and seconds per model.
    """
    request = assignment.payload
    rows = draw(list(files.read_jsonl(Path(request["cases"]))), request["max_cases"], request["seed"])
    partial = assignment.work / PARTIAL
    rewrite_complete_lines(partial)
    done = {(row["model"], row["index"]) for row in files.read_jsonl(partial)}
    seconds = {}
    for number, model in enumerate(request["models"]):
        missing = [item for item in rows if (model["label"], item[0]) not in done]
        began = time.monotonic()
        if missing:
            _answer_all(
                assignment, model, missing, partial, (number * len(rows), len(request["models"]) * len(rows))
            )
        seconds[model["label"]] = time.monotonic() - began
    files.write_jsonl(Path(request["answers"]), files.read_jsonl(partial))
    return {"cases": len(rows), "seconds": seconds}


def draw(rows: list[dict[str, Any]], count: int | None, seed: int) -> list[tuple[int, dict[str, Any]]]:
    """(index, row) of `count` rows drawn with a seed, in the file's order; all of them for None."""
    indexed = list(enumerate(rows))
    if count is None or count >= len(rows):
        return indexed
    return sorted(random.Random(seed).sample(indexed, count), key=lambda item: item[0])


def rewrite_complete_lines(path: Path) -> None:
    """Drop a torn last line, or the next line would be appended to it."""
    files.write_jsonl(path, files.read_jsonl(path) if path.exists() else [])


def _answer_all(
    assignment: Assignment,
    choice: dict[str, Any],
    rows: list[tuple[int, dict[str, Any]]],
    partial: Path,
    place: tuple[int, int],
) -> None:
    request = assignment.payload
    model, tokenizer = load_model(request["model"], adapter_path=choice["adapters"])
    prepared = [(index, *tokenise(tokenizer, row["messages"])) for index, row in rows]
    longest = max(len(tokens) - start for _, tokens, start in prepared)
    ending = Ending(frozenset(tokenizer.eos_token_ids), longest + request["extra_tokens"])
    for count, (index, tokens, start) in enumerate(prepared, 1):
        answer = greedy(model, tokens[:start], tokens[start:], ending)
        files.append_jsonl(
            partial,
            {
                "model": choice["label"],
                "index": index,
                "text": tokenizer.decode(answer.tokens),
                "tokens": len(answer.tokens),
                "truncated": answer.truncated,
                "drafted": answer.drafted,
            },
        )
        assignment.report(
            phase=f"answers of {choice['label']}", iteration=place[0] + count, iterations=place[1]
        )


if __name__ == "__main__":
    child.main(run)
