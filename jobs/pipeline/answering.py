"""Have models answer a test part for a step of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs import base_models
from jobs.evaluation.answering import (
    MODULE,
    EvaluationAnswers,
    EvaluationRequest,
    run_evaluation,
)
from jobs.fs import files
from jobs.mlx.requests import AnsweringModel
from jobs.pipeline.context import Job


def answer_cases(job: Job, labels: Sequence[str], test_file: Path) -> EvaluationAnswers:
    """Ask a test part for a step of a run.

    Args:
        job: The step this is done for.
        labels: `base`, `stage1`, `stage2`: the base model alone, or with that stage's adapter.
        test_file: The test part.
    """
    asked = EvaluationRequest(
        base_models.locate(job.host.base_models, job.settings.base_model.name),
        [_candidate(job, label) for label in labels],
        test_file,
        job.folder.work(job.step) / "answers.jsonl",
    )
    return run_evaluation(asked, job.settings, lambda request: job.child(MODULE, request))


def _candidate(job: Job, label: str) -> AnsweringModel:
    if label == "base":
        return AnsweringModel(label=label)
    folder = job.folder.stage(int(label.removeprefix("stage")))
    return AnsweringModel(
        label=label, adapters=folder.adapters, sha256=files.sha256_file(folder.adapter_file)
    )
