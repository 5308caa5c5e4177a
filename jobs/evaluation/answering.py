"""Have several models answer a test part in a child process, and pair the answers with their cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs import base_models, files
from jobs.evaluation.report import Answer, Case, load_cases
from jobs.job import Job

MODULE = "jobs.mlx.evaluate"


def answer_cases(
    job: Job, labels: Sequence[str], test_file: Path
) -> tuple[list[Case], dict[str, dict[str, Answer]]]:
    """The cases of a test part, and each model's answers by case id.

    Args:
        job: The step this is done for.
        labels: `base`, `stage1`, `stage2`: the base model alone, or with that stage's adapter.
        test_file: The test part.
    """
    answers_file = job.folder.work(job.step) / "answers.jsonl"
    job.child(MODULE, _request(job, labels, test_file, answers_file))
    rows = list(files.read_jsonl(answers_file))
    every = load_cases(test_file)
    asked = sorted({row["index"] for row in rows})
    answers: dict[str, dict[str, Answer]] = {label: {} for label in labels}
    for row in rows:
        answers[row["model"]][every[row["index"]].id] = Answer(
            text=row["text"], tokens=row["tokens"], truncated=row["truncated"]
        )
    return [every[index] for index in asked], answers


def _request(job: Job, labels: Sequence[str], test_file: Path, answers: Path) -> dict[str, Any]:
    settings = job.settings
    return {
        "model": str(base_models.locate(job.place.base_models, settings.base_model.name)),
        "models": [_choice(job, label) for label in labels],
        "cases": str(test_file),
        "cases_sha256": files.sha256_file(test_file),
        "answers": str(answers),
        "max_cases": settings.evaluation.max_cases,
        "extra_tokens": settings.evaluation.extra_tokens,
        "seed": settings.seed,
    }


def _choice(job: Job, label: str) -> dict[str, Any]:
    if label == "base":
        return {"label": label, "adapters": None, "sha256": None}
    folder = job.folder.stage(int(label.removeprefix("stage")))
    return {
        "label": label,
        "adapters": str(folder.adapters),
        "sha256": files.sha256_file(folder.adapter_file),
    }
