"""Have several models answer a test part in a child process, and pair the answers with their cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Settings
from jobs import base_models
from jobs.evaluation.cases import Answer, Case, Sample, load_cases
from jobs.fs import files
from jobs.mlx.requests import AnsweringModel, AnsweringRequest
from jobs.pipeline.context import Job

MODULE = "jobs.mlx.evaluate"


@dataclass(frozen=True)
class Examinee:
    """A model to ask: its label, the adapter folder that is put on the base model, and what it hashes to."""

    label: str
    adapters: Path | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Answered:
    """The cases that were asked, each model's answers by case id, and how the cases were drawn."""

    cases: list[Case]
    answers: dict[str, dict[str, Answer]]
    sample: Sample | None


@dataclass(frozen=True)
class Exam:
    """What is asked of whom.

    Args:
        model: The base model's folder.
        examinees: Who answers.
        test_file: The cases.
        answers: Where the child writes.
    """

    model: Path
    examinees: Sequence[Examinee]
    test_file: Path
    answers: Path

    def request(self, settings: Settings) -> AnsweringRequest:
        """The evaluation child's request."""
        return AnsweringRequest(
            model=self.model,
            models=tuple(
                AnsweringModel(label=each.label, adapters=each.adapters, sha256=each.sha256)
                for each in self.examinees
            ),
            cases=self.test_file,
            cases_sha256=files.sha256_file(self.test_file),
            answers=self.answers,
            max_cases=settings.evaluation.max_cases,
            extra_tokens=settings.evaluation.extra_tokens,
            batch_size=settings.evaluation.batch_size,
            seed=settings.seed,
        )


def answer_cases(job: Job, labels: Sequence[str], test_file: Path) -> Answered:
    """Ask a test part for a step of a run.

    Args:
        job: The step this is done for.
        labels: `base`, `stage1`, `stage2`: the base model alone, or with that stage's adapter.
        test_file: The test part.
    """
    exam = Exam(
        base_models.locate(job.place.base_models, job.settings.base_model.name),
        [_examinee(job, label) for label in labels],
        test_file,
        job.folder.work(job.step) / "answers.jsonl",
    )
    return sit(exam, job.settings, lambda request: job.child(MODULE, request))


def sit(exam: Exam, settings: Settings, child: Callable[[AnsweringRequest], Any]) -> Answered:
    """Have the child answer, and read what it wrote.

    Args:
        exam: What is asked of whom.
        settings: How.
        child: Runs the evaluation child with a request until it is done.
    """
    child(exam.request(settings))
    rows = list(files.read_jsonl(exam.answers))
    every = load_cases(exam.test_file)
    asked = sorted({row["index"] for row in rows})
    answers: dict[str, dict[str, Answer]] = {each.label: {} for each in exam.examinees}
    for row in rows:
        answers[row["model"]][every[row["index"]].id] = Answer(
            text=row["text"],
            tokens=row["tokens"],
            truncated=row["truncated"],
            finished=not row["truncated"],
        )
    sample = Sample(len(asked), len(every), settings.seed) if len(asked) < len(every) else None
    return Answered([every[index] for index in asked], answers, sample)


def _examinee(job: Job, label: str) -> Examinee:
    if label == "base":
        return Examinee(label)
    folder = job.folder.stage(int(label.removeprefix("stage")))
    return Examinee(label, folder.adapters, files.sha256_file(folder.adapter_file))
