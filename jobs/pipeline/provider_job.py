"""A provider's job, driven for a step: begun when it may be, followed to its end, ended in good order."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.job import JobConfiguration, setting_of
from jobs.children import parent
from jobs.errors import ChildFailed, EndChild, JobError, OperatorError, Stopped, error_class
from jobs.pipeline.context import Job
from jobs.providers.known import PROVIDERS
from jobs.providers.provider import Failure, Handle, JobStatus, Provider, Training

POLL_SECONDS = 0.25
WORKING = ("validating_files", "running")
OVER = ("succeeded", "failed", "cancelled")


def chosen_provider(job: Job) -> Provider:
    """The provider that the run's settings name.

    Raises:
        OperatorError: There is none of that name.
    """
    name = job.settings.training.provider
    if name not in PROVIDERS:
        raise OperatorError(
            f"training.provider is {name}, and there is no provider of that name.",
            f"There is: {', '.join(PROVIDERS)}. Correct the setting; this run keeps its own, in "
            "metadata/settings.json.",
        )
    return PROVIDERS[name]


def drive(
    job: Job, provider: Provider, configuration: JobConfiguration, training: Training
) -> Mapping[str, Any]:
    """See to it that a provider does a job, and return what was measured.

    Raises:
        Stopped: The daemon stops; the job goes on, and the next daemon finds it.
        EndChild: A person or the machine's power wants it to end now; it has ended.
        DeviceBusy: Somebody else has the device.
        JobError: The job failed, with the provider's own words.
    """
    workplace = job.workplace(provider.uses_device)
    try:
        _end_job_of_another(provider, workplace.work)
        if provider.uses_device:
            job.claim_device(alive=_is_alive(provider, workplace.work))
        handle = provider.start(configuration, training, workplace)
        status = _follow(job, provider, handle)
    except EndChild:
        end_work(workplace.work)
        raise
    if status.status == "succeeded":
        return status.result or {}
    raise _failure(status, provider, training.stage)


def end_work(work: Path) -> None:
    """End what works for a step, also where a driver that is gone left it: a provider's job, or a child."""
    handle = Handle.load(work)
    if handle is not None and handle.provider in PROVIDERS:
        PROVIDERS[handle.provider].cancel(handle)
    parent.end(work)


def _end_job_of_another(provider: Provider, work: Path) -> None:
    """The run's settings may have been changed to another provider since the last attempt."""
    handle = Handle.load(work)
    if handle is not None and handle.provider != provider.name:
        end_work(work)


def _is_alive(provider: Provider, work: Path) -> bool:
    handle = Handle.load(work)
    return handle is not None and provider.status(handle).status in WORKING


def _follow(job: Job, provider: Provider, handle: Handle) -> JobStatus:
    """Put the newest numbers into the manifest until the job is over, or stalled."""
    told: Mapping[str, Any] = {}
    while True:
        status = provider.status(handle)
        over = status.status in OVER or status.stalled is not None
        if not over and job.look(provider.uses_device):
            raise Stopped
        if status.newest and status.newest != told:
            job.progress(status.newest)
            told = status.newest
        if over:
            return status
        time.sleep(POLL_SECONDS)


def _failure(status: JobStatus, provider: Provider, stage: int) -> JobError:
    failure = status.error or status.stalled or Failure("Somebody else cancelled the job.", "bug")
    named = f"{setting_of(failure.param, stage) or failure.param}: " if failure.param else ""
    error = error_class(failure.code)(f"{named}{failure.reason}", failure.remedy)
    if type(error) is ChildFailed and failure.code != ChildFailed.kind:
        error.add_note(f"{provider.name} calls it {failure.code!r}.")
    if failure.traceback:
        error.add_note(failure.traceback)
    return error
