"""What a run waits for, as facts; the sentence that a person reads is made from them, and never read back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from jobs.fs.free_space import Shortage
from jobs.runs.status import PowerReason, Remedy, WaitingKind

# Read from a manifest, a fact that we do not know is an error.
_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class WaitingForDevice:
    """Another process has the device.

    Args:
        holder: What that process says of itself.
    """

    __pydantic_config__: ClassVar = _STRICT
    holder: str
    kind: Literal[WaitingKind.DEVICE] = WaitingKind.DEVICE

    def __str__(self) -> str:
        return f"the device is in use: {self.holder}"


@dataclass(frozen=True)
class WaitingForDisk:
    """A disk has too little room.

    Args:
        what: Which step needs it; None where nothing but the run's record could not be written.
        folder: A folder of ours on that disk; None where a write failed, which tells no disk.
        missing_bytes: How much more must be free; None where a write failed although the estimate fits.
        free_bytes: What was free when it was looked at.
        needed_bytes: What will be written.
        reserve_bytes: What stays free all the same.
        error: What the failed write said.
    """

    __pydantic_config__: ClassVar = _STRICT
    what: str | None = None
    folder: str | None = None
    missing_bytes: int | None = None
    free_bytes: int | None = None
    needed_bytes: int | None = None
    reserve_bytes: int | None = None
    error: str | None = None
    kind: Literal[WaitingKind.DISK] = WaitingKind.DISK

    @classmethod
    def of(cls, short: Shortage) -> WaitingForDisk:
        """The facts of a disk that has no room for what a step will write."""
        return cls(
            what=short.what,
            folder=str(short.folder),
            missing_bytes=short.missing,
            free_bytes=short.free,
            needed_bytes=short.needed,
            reserve_bytes=short.reserve,
        )

    def __str__(self) -> str:
        if self.missing_bytes is not None:
            return str(
                Shortage(
                    Path(self.folder or ""),
                    self.what or "",
                    self.needed_bytes or 0,
                    self.reserve_bytes or 0,
                    self.free_bytes or 0,
                )
            )
        if self.what is None:
            return f"the disk is full: {self.error}"
        return f"the disk was full during {self.what}, which is tried again soon: {self.error}"


@dataclass(frozen=True)
class WaitingForNetwork:
    """Something on the network did not answer.

    Args:
        step: Which step asked.
        error: What went wrong.
    """

    __pydantic_config__: ClassVar = _STRICT
    step: str
    error: str
    kind: Literal[WaitingKind.NETWORK] = WaitingKind.NETWORK

    def __str__(self) -> str:
        return f"{self.step} will be tried again: {self.error}"


@dataclass(frozen=True)
class WaitingForPower:
    """The device is left alone.

    Args:
        reason: Why.
        until: When quiet hours end, as "HH:MM" of the local time.
    """

    __pydantic_config__: ClassVar = _STRICT
    reason: PowerReason
    until: str | None = None
    kind: Literal[WaitingKind.POWER] = WaitingKind.POWER

    def __str__(self) -> str:
        if self.reason is PowerReason.QUIET_HOURS:
            return f"quiet hours until {self.until} (power.quiet_hours)"
        if self.reason is PowerReason.BATTERY:
            return "the machine runs on its battery (power.on_battery)"
        return "the machine is in low-power mode (power.in_low_power_mode)"


@dataclass(frozen=True)
class WaitingForPerson:
    """Nobody but a person can have it go on.

    Args:
        run_id: The run.
        remedy: What that person does.
    """

    __pydantic_config__: ClassVar = _STRICT
    run_id: str
    remedy: Remedy
    kind: Literal[WaitingKind.PERSON] = WaitingKind.PERSON

    def __str__(self) -> str:
        if self.remedy is Remedy.RESUME:
            return f"go on with: sectune runs resume {self.run_id}"
        return f"once that is mended: sectune runs retry {self.run_id}"


@dataclass(frozen=True)
class WaitingForEarlierRun:
    """A run of higher priority gets the device first.

    Args:
        run_id: That run.
    """

    __pydantic_config__: ClassVar = _STRICT
    run_id: str
    kind: Literal[WaitingKind.EARLIER_RUN] = WaitingKind.EARLIER_RUN

    def __str__(self) -> str:
        return f"{self.run_id} goes first, its priority is higher"


WaitingFor = (
    WaitingForDevice
    | WaitingForDisk
    | WaitingForNetwork
    | WaitingForPower
    | WaitingForPerson
    | WaitingForEarlierRun
)
