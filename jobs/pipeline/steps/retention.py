"""Step retention: what stage 2 still knows of stage 1, on stage 1's own test part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.clock import now
from jobs.evaluation.report import write_results
from jobs.evaluation.retention import retention_rate
from jobs.pipeline.answering import answer_cases
from jobs.pipeline.context import Job, Skip


def run(job: Job) -> Sequence[Path]:
    """Stage 2's exact match on stage 1's test part, against stage 1's own; null if stage 1 had none."""
    test_file = job.folder.stage1.test_file
    if test_file.stat().st_size == 0:
        raise Skip("stage 1's test part is empty, so retention was not measured")
    asked = answer_cases(job, ["stage1", "stage2"], test_file)
    results = write_results(job.folder.retention, asked.cases, asked.answers, "stage2", asked.sample)
    models = results["models"]
    exact = {label: figures["exact_matches"] for label, figures in models.items()}
    job.manifest.validation.stage2_score_on_stage1 = models["stage2"]["exact_match_percentage"]
    job.manifest.validation.retention_rate = retention_rate(exact["stage1"], exact["stage2"])
    job.manifest.validation.validation_timestamp = now()
    job.save()
    return [job.folder.retention_results]
