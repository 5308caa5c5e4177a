"""Step upload: the certified model goes to the Hub, only if the settings ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jobs.errors import ChildFailed
from jobs.pipeline.context import Job, Skip
from jobs.publishing.upload import upload


def run(job: Job) -> Sequence[Path]:
    """Send the certified entry; skipped, with its reason, unless upload.enabled is true."""
    settings = job.settings.upload
    if not settings.enabled or settings.repository is None:
        raise Skip("upload.enabled is false: nothing leaves this machine")
    certified = job.manifest.certified
    if certified is None:
        raise ChildFailed("There is no certified model to upload, although the chain came this far.")
    address = upload(job.host.registry / certified.name, settings.repository, settings.private)
    job.run.event("uploaded", address=address)
    return []
