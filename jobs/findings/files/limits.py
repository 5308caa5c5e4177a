"""The archive limits as the settings say them."""

from __future__ import annotations

from config.settings import Settings
from jobs.findings.files.archive import Limits


def limits_of(settings: Settings) -> Limits:
    """How much of a delivery is read."""
    inbox = settings.inbox
    return Limits(
        max_file_bytes=inbox.max_file_bytes,
        max_members=inbox.max_archive_members,
        max_total_bytes=inbox.max_archive_bytes,
        max_ratio=inbox.max_archive_ratio,
    )
