"""The states of a run, its steps and its stages, and what a run can wait for.

Who may move from which state to which, and the only code that does it: `jobs/pipeline/transitions.py`.
`sectune status` reads states without loading a manifest, so nothing heavy is imported here.
"""

from __future__ import annotations

from enum import StrEnum


class RunStatus(StrEnum):
    """Where a run is."""

    QUEUED = "queued"
    """It was made, or taken up again, and no step of it has begun since."""
    IN_PROGRESS = "in_progress"
    """A step is being done, or the next one is about to be."""
    WAITING = "waiting"
    """Its next step cannot be done yet; `waiting_for` says what is missing. It goes on by itself."""
    PAUSED = "paused"
    """A person stopped it, and only a person has it go on."""
    COMPLETED = "completed"
    """Every step succeeded or was skipped."""
    FAILED = "failed"
    """What was delivered cannot be learned from."""
    CANCELLED = "cancelled"
    """A person ended it."""
    NEEDS_ATTENTION = "needs_attention"
    """A step failed for good, or too often; a person can mend the cause and retry."""


class StepStatus(StrEnum):
    """Where a step is."""

    PENDING = "pending"
    """Not begun, or to be done again; what it waits for, the run says."""
    RUNNING = "running"
    """Begun; after the death of a daemon the next one takes it up in this state."""
    SUCCEEDED = "succeeded"
    """Done; its outputs are on record with their hashes."""
    SKIPPED = "skipped"
    """It had nothing to do; its reason says why."""
    FAILED = "failed"
    """Given up; its error says why, and the run's status who can mend it."""


class StageStatus(StrEnum):
    """Where a stage is."""

    PENDING = "pending"
    """None of its steps has begun."""
    RUNNING = "running"
    """One of its steps has begun."""
    SUCCEEDED = "succeeded"
    """Its last step is done."""
    FAILED = "failed"
    """One of its steps was given up."""


class WaitingKind(StrEnum):
    """What a run can wait for; its facts are in `jobs/runs/waiting.py`."""

    DEVICE = "device"
    """Another process has the device."""
    DISK = "disk"
    """A disk has too little room."""
    NETWORK = "network"
    """Something on the network did not answer; asked again from time to time."""
    POWER = "power"
    """Battery, low-power mode or quiet hours: the device is left alone."""
    PERSON = "person"
    """Nobody but a person can have it go on."""
    EARLIER_RUN = "earlier_run"
    """A run of higher priority gets the device first."""


class PowerReason(StrEnum):
    """Why the device is left alone."""

    QUIET_HOURS = "quiet_hours"
    """The clock is within power.quiet_hours."""
    BATTERY = "battery"
    """There is no mains, and power.on_battery says to wait."""
    LOW_POWER_MODE = "low_power_mode"
    """The mode is on, and power.in_low_power_mode says to wait."""


class Remedy(StrEnum):
    """What a person does to have a run go on."""

    RESUME = "resume"
    """Resume what was paused."""
    RETRY = "retry"
    """Mend the cause, then retry."""


UNFINISHED = frozenset({RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.WAITING})
SHOWN = UNFINISHED | {RunStatus.NEEDS_ATTENTION}
DONE = frozenset({StepStatus.SUCCEEDED, StepStatus.SKIPPED})
# A run that waits for one of these wants the device the moment it can have it.
FOR_THE_DEVICE = frozenset({WaitingKind.DEVICE, WaitingKind.POWER, WaitingKind.EARLIER_RUN})
