"""Steps evaluate 1 and evaluate 2: base model and adapters answer the same test cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.clock import now
from jobs.evaluation.report import write_results
from jobs.pipeline import stage1_reuse
from jobs.pipeline.answering import answer_cases
from jobs.pipeline.context import Job, Skip


def run(job: Job, stage: int) -> Sequence[Path]:
    """Compare base model, stage 1 and (in stage 2) stage 2 on this stage's test part."""
    if stage == 1 and (taken := stage1_reuse.take_evaluation(job)):
        return taken
    folder = job.folder.stage(stage)
    labels = ["base", "stage1"] if stage == 1 else ["base", "stage1", "stage2"]
    if folder.test_file.stat().st_size == 0:
        raise Skip("the test part is empty: too few examples to keep any aside, so nothing was measured")
    asked = answer_cases(job, labels, folder.test_file)
    results = write_results(folder.evaluation, asked.cases, asked.answers, f"stage{stage}", asked.sample)
    _record(
        job, stage, {label: figures["exact_match_percentage"] for label, figures in results["models"].items()}
    )
    return [folder.evaluation_results]


def _record(job: Job, stage: int, scores: dict[str, float | None]) -> None:
    validation = job.manifest.validation
    if stage == 1:
        validation.stage1_score = scores["stage1"]
        validation.base_score_stage1 = scores["base"]
    else:
        validation.stage2_score = scores["stage2"]
        validation.base_score_stage2 = scores["base"]
        validation.stage1_score_on_stage2 = scores["stage1"]
    validation.validation_timestamp = now()
    job.save()
