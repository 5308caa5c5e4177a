"""Stage 1 of an earlier run, taken over where it would come out the same.

The key covers all that stage 1's adapter depends on: base model, training data, and the provider's
fingerprint, which stands for its request and the code that trains. What is taken is copied (cloned where the
file system can) and verified by the hashes the earlier run recorded.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from jobs.fs import files
from jobs.fs.copy import copy_file
from jobs.pipeline.context import Job
from jobs.runs.manifest import Output
from jobs.runs.status import RunStatus, StepStatus
from jobs.runs.store import Run, RunStore


def key(job: Job, provider: str, fingerprint: str) -> str:
    """Identifies what stage 1's training would come out as.

    Args:
        job: The training step.
        provider: Who trains.
        fingerprint: What the result depends on at the provider's, see `Translation`.
    """
    return files.sha256_json(
        {
            "base_model": job.manifest.provenance.base_model_sha256,
            "data": [output.sha256 for output in job.manifest.step("dataset_1").outputs],
            "provider": provider,
            "fingerprint": fingerprint,
        }
    )


def find(job: Job, wanted: str) -> Run | None:
    """The newest completed run whose stage 1 has this key and is unchanged on disk."""
    runs, _ = RunStore(job.host.models_dir).list()
    for run in reversed(runs):
        stage = run.manifest.stage1
        if run.manifest.status is RunStatus.COMPLETED and stage.reuse_key == wanted and _intact(run):
            return run
    return None


def _intact(run: Run) -> bool:
    outputs = run.manifest.step("train_1").outputs
    return bool(outputs) and all(_same(run.folder.root / output.path, output) for output in outputs)


def _same(path: Path, output: Output) -> bool:
    return path.is_file() and path.stat().st_size == output.bytes and files.sha256_file(path) == output.sha256


def take(source: Run, step: str, job: Job) -> Sequence[Path]:
    """Copy what a step of another run left behind.

    Returns:
        The same files in this run.
    """
    taken = []
    for output in source.manifest.step(step).outputs:
        target = job.folder.root / output.path
        files.private_folder(target.parent)
        target.unlink(missing_ok=True)
        copy_file(source.folder.root / output.path, target)
        taken.append(target)
    return taken


def take_evaluation(job: Job) -> Sequence[Path]:
    """Copy the evaluation of the run whose stage 1 was taken; nothing if it was made with other settings.

    The scores come along; retention is measured anew, since it is about this run's stage 2.
    """
    name = job.manifest.stage1.reused_from
    source = RunStore(job.host.models_dir).open(name) if name else None
    if source is None or not _same_evaluation(source, job):
        return []
    target = job.folder.stage1.evaluation
    shutil.rmtree(target, ignore_errors=True)
    for path in files.files_below(source.folder.stage1.evaluation):
        copy = target / path.relative_to(source.folder.stage1.evaluation)
        files.private_folder(copy.parent)
        copy_file(path, copy)
    scores, earlier = job.manifest.validation, source.manifest.validation
    scores.stage1_score, scores.base_score_stage1 = earlier.stage1_score, earlier.base_score_stage1
    job.save()
    return [job.folder.stage1.evaluation_results]


def _same_evaluation(source: Run, job: Job) -> bool:
    before, now = source.settings(), job.settings
    evaluated = source.manifest.step("evaluate_1").status is StepStatus.SUCCEEDED
    return evaluated and (before.evaluation, before.seed) == (now.evaluation, now.seed)
