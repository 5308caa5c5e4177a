"""Step fuse: base model and stage 2's adapter become one complete model that loads and answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs import base_models
from jobs.errors import ChildFailed
from jobs.fs import files
from jobs.mlx.requests import FusingRequest, Message
from jobs.pipeline.context import Job
from jobs.runs.validation import check_full_model

MODULE = "jobs.mlx.fuse"
PROBE = Message(role="user", content="Name one flaw that a security scanner finds in web applications.")


def run(job: Job) -> Sequence[Path]:
    """Fuse, then check the folder as what it claims to be."""
    adapter = job.folder.stage2.adapter_file
    request = FusingRequest(
        model=base_models.locate(job.host.base_models, job.settings.base_model.name),
        adapters=adapter.parent,
        adapter_sha256=files.sha256_file(adapter),
        target=job.folder.final_model,
        dequantize=job.settings.fuse.dequantize,
        probe=(PROBE,),
    )
    result = job.child(MODULE, request)
    problems = [check.detail for check in check_full_model(job.folder.final_model) if not check.passed]
    if problems:
        raise ChildFailed(f"The fused model is not complete: {'; '.join(problems)}")
    files.write_json(job.folder.fuse_report, result)
    return [job.folder.fuse_report, *files.files_below(job.folder.final_model)]
