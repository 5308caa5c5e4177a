"""A piece of work for a child process, and why it may have to wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from jobs.children.request import to_json
from jobs.fs import files


class DeviceBusy(Exception):
    """Another process holds the device; `holder` is what it wrote about itself."""

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


@dataclass(frozen=True)
class Task:
    """What a child is to do.

    Args:
        module: The module that is run with `python -P -m`.
        work: The child's scratch folder.
        payload: Its request, as a struct or as JSON; the same payload means the same work, so a receipt for
            it is an answer.
        log: The run's log.
        facts: What its log lines carry.
        device_lock: The device's lock file, if the child needs the device.
        preload: A shared library for LD_PRELOAD.
    """

    module: str
    work: Path
    payload: msgspec.Struct | Mapping[str, Any]
    log: Path
    facts: Mapping[str, str] = field(default_factory=dict)
    device_lock: Path | None = None
    preload: Path | None = None

    @cached_property
    def payload_json(self) -> dict[str, Any]:
        """The request as it is written.

        Raises:
            ChildFailed: It holds what the child would not take.
        """
        return to_json(self.payload) if isinstance(self.payload, msgspec.Struct) else dict(self.payload)

    @cached_property
    def key(self) -> str:
        """Identifies this piece of work."""
        return files.sha256_json({"module": self.module, "payload": self.payload_json})
