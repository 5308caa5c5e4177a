"""Have several models answer a test part in a child process, and pair the answers with their cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Settings
from jobs.evaluation.cases import EvaluationCase, ModelAnswer, Sample, load_cases
from jobs.fs import files
from jobs.mlx.requests import AnsweringModel, AnsweringRequest

MODULE = "jobs.mlx.evaluate"


@dataclass(frozen=True)
class EvaluationAnswers:
    """The cases that were asked, each model's answers by case id, and how the cases were drawn."""

    cases: list[EvaluationCase]
    answers: dict[str, dict[str, ModelAnswer]]
    sample: Sample | None


@dataclass(frozen=True)
class EvaluationRequest:
    """What is asked of whom.

    Args:
        model: The base model's folder.
        candidates: Who answers.
        test_file: The cases.
        answers: Where the child writes.
    """

    model: Path
    candidates: Sequence[AnsweringModel]
    test_file: Path
    answers: Path

    def child_request(self, settings: Settings) -> AnsweringRequest:
        """The evaluation child's request."""
        return AnsweringRequest(
            model=self.model,
            models=tuple(self.candidates),
            cases=self.test_file,
            cases_sha256=files.sha256_file(self.test_file),
            answers=self.answers,
            max_cases=settings.evaluation.max_cases,
            extra_tokens=settings.evaluation.extra_tokens,
            batch_size=settings.evaluation.batch_size,
            seed=settings.seed,
        )


def run_evaluation(
    asked: EvaluationRequest, settings: Settings, child: Callable[[AnsweringRequest], Any]
) -> EvaluationAnswers:
    """Have the child answer, and read what it wrote.

    Args:
        asked: What is asked of whom.
        settings: How.
        child: Runs the evaluation child with a request until it is done.
    """
    child(asked.child_request(settings))
    rows = list(files.read_jsonl(asked.answers))
    every = load_cases(asked.test_file)
    numbers = sorted({row["index"] for row in rows})
    answers: dict[str, dict[str, ModelAnswer]] = {each.label: {} for each in asked.candidates}
    for row in rows:
        answers[row["model"]][every[row["index"]].id] = ModelAnswer(
            text=row["text"],
            tokens=row["tokens"],
            truncated=row["truncated"],
            finished=not row["truncated"],
        )
    sample = Sample(len(numbers), len(every), settings.seed) if len(numbers) < len(every) else None
    return EvaluationAnswers([every[index] for index in numbers], answers, sample)
