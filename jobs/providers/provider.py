"""What a place that can train must offer, and its words for what it can and what became of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from config.job import JobConfiguration, Problem
from jobs.errors import JobError
from jobs.fs import files

State = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True)
class StartAdapter:
    """The adapter file that a training goes on from, and its SHA-256."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Training:
    """One stage's training, as the chain wants it done; the provider knows how.

    Args:
        stage: 1 or 2.
        base_model: A complete model folder.
        data: A training-data folder.
        adapters: Where the adapter goes.
        metrics: Where a line per report goes.
        start_from: The adapter to go on from, if any.
        data_sha256: What is in `data`; a checkpoint of other data is then of other work.
    """

    stage: int
    base_model: Path
    data: Path
    adapters: Path
    metrics: Path
    start_from: StartAdapter | None = None
    data_sha256: str | None = None


@dataclass(frozen=True)
class Workplace:
    """Where a provider may put what it needs while it works, and what it has to share.

    Args:
        work: A folder of its own.
        log: The log it writes to.
        facts: What its log lines carry.
        device_lock: The device's lock file.
        preload: A shared library for LD_PRELOAD.
        stopping: Asked a few times a second while a job begins, which may take long: whether whoever asked
            for the job stops. What it raises is passed on.
    """

    work: Path
    log: Path
    facts: Mapping[str, str] = field(default_factory=dict)
    device_lock: Path | None = None
    preload: Path | None = None
    stopping: Callable[[], bool] = field(default=lambda: False)


@dataclass(frozen=True)
class Verdict:
    """What a provider says of a job configuration: errors refuse it, warnings go with it."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Translation:
    """What a provider will really do with a job, in its own words.

    Args:
        parameters: Plain JSON values, for the record.
        fingerprint: Identifies what comes out, as far as this provider decides it: the same configuration,
            data and base model with the same fingerprint give the same adapter.
    """

    parameters: Mapping[str, Any]
    fingerprint: str


@dataclass(frozen=True)
class Parameter:
    """A parameter that a provider has beyond the universal ones; it is given in `metadata`."""

    name: str
    type: str
    description: str
    default: Any
    limits: str
    required: bool = False


@dataclass(frozen=True)
class Limit:
    """A range that is tighter than the universal one."""

    key: str
    limit: str
    reason: str


@dataclass(frozen=True)
class Capabilities:
    """What a provider can do.

    Args:
        provider: Its name.
        description: What it is, in a sentence.
        methods: Each method it trains, and what it needs for that.
        optimizers: Their names.
        schedulers: Learning-rate schedules.
        precisions: Base models it can train.
        optimizations: What it does if asked to.
        always: Optimizations that are always in use, asked for or not.
        limits: Ranges tighter than the universal ones.
        parameters: What can be given in `metadata`, or must be.
    """

    provider: str
    description: str
    methods: Mapping[str, str]
    optimizers: tuple[str, ...]
    schedulers: tuple[str, ...]
    precisions: tuple[str, ...]
    optimizations: tuple[str, ...]
    always: tuple[str, ...]
    limits: tuple[Limit, ...]
    parameters: tuple[Parameter, ...]

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Handle:
    """Names a job that was started; kept in a file beside the job's folder, so it survives its starter.

    Args:
        provider: Who does the job.
        id: The provider's own name of it.
        work: The folder it is done in.
        cancelled_at: When it was cancelled, as a manifest's timestamp; starting it again forgets that.
    """

    provider: str
    id: str
    work: Path
    cancelled_at: str | None = None

    @staticmethod
    def file_of(work: Path) -> Path:
        """Where the handle of the job in `work` is kept."""
        return work.with_name(f"{work.name}.job.json")

    def save(self) -> Handle:
        """Write the handle to its file."""
        path = self.file_of(self.work)
        files.private_folder(path.parent)
        files.write_json(path, {**asdict(self), "work": self.work.name})
        return self

    @classmethod
    def load(cls, work: Path) -> Handle | None:
        """The handle of the job in `work`; None if none was ever started there."""
        path = cls.file_of(work)
        if not path.exists():
            return None
        return cls(**{**files.read_json(path), "work": work})


@dataclass(frozen=True)
class Point:
    """A measured value."""

    step: int
    value: float
    timestamp: str


@dataclass(frozen=True)
class Event:
    """Something that happened."""

    message: str
    level: str
    created_at: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Failure:
    """Why a job failed, or why nobody works on it.

    Args:
        reason: What went wrong.
        code: The kind of error, in the words of `jobs.errors`.
        param: The job configuration's key at fault, where there is one.
        remedy: What to do about it.
        traceback: Of a bug.
    """

    reason: str
    code: str
    param: str | None = None
    remedy: str = ""
    traceback: str | None = None

    @classmethod
    def of(cls, error: JobError) -> Failure:
        """An error of ours."""
        notes = "\n".join(getattr(error, "__notes__", [])) or None
        return cls(error.message, error.kind, remedy=error.remedy, traceback=notes)

    @property
    def message(self) -> str:
        """What went wrong and what to do."""
        return f"{self.reason} {self.remedy}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        return {"message": self.message, "code": self.code, "param": self.param}


@dataclass(frozen=True)
class JobStatus:
    """Where a job is.

    Args:
        status: Its state.
        progress: 0 to 1; None before the first report.
        newest: The newest of each number that was reported, by a manifest's names.
        eta_seconds: Estimated seconds that remain; None where that is not known.
        error: Why it failed.
        stalled: Why nobody works on a job that is queued and will not go on by itself: it was not begun, its
            process died. `start` goes on with it.
        result: What was measured of a job that has succeeded.
        metrics: Points by the name of what was measured; only where the history was asked for.
        events: What happened, oldest first; only where the history was asked for.
    """

    status: State
    progress: float | None = None
    newest: Mapping[str, Any] = field(default_factory=dict)
    eta_seconds: float | None = None
    error: Failure | None = None
    stalled: Failure | None = None
    result: Mapping[str, Any] | None = None
    metrics: Mapping[str, tuple[Point, ...]] = field(default_factory=dict)
    events: tuple[Event, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        failures = {"error": self.error, "stalled": self.stalled}
        told = {name: failure.to_json() if failure else None for name, failure in failures.items()}
        return {**asdict(self), **told}


class Provider(Protocol):
    """A place that can train.

    Its attributes: its name, and whether it trains on this machine's device, of which there is one: such a
    job waits for its turn, and ends while the device is to be left alone.
    """

    name: str
    uses_device: bool

    def capabilities(self) -> Capabilities:
        """What this place can do."""
        ...

    def validate(
        self, configuration: JobConfiguration | Mapping[str, Any], training: Training | None = None
    ) -> Verdict:
        """Check shape, then ranges, then what this place can do; the first of them that fails is told.

        Args:
            configuration: What is asked for, also as plain values that nobody has checked yet.
            training: Where the data is, once it is there; its hashes are then compared.
        """
        ...

    def translate(self, configuration: JobConfiguration, training: Training) -> Translation:
        """What will really be done; it is recorded before the start, and decides what can be used again."""
        ...

    def start(self, configuration: JobConfiguration, training: Training, workplace: Workplace) -> Handle:
        """Start the job, or find it: the same job is never done twice, nor by two at the same time.

        A job that is done is left as it is; one that was cancelled, failed or stalled goes on with what it
        left. The handle is saved before anything begins: a killed starter leaves no job that nobody knows.

        Raises:
            OperatorError: `validate` has errors.
            DeviceBusy: It uses the device, and somebody else has it.
            Stopped: Whoever asked for it stops; what began goes on.
        """
        ...

    def status(self, handle: Handle, history: bool = False) -> JobStatus:
        """Where the job is; whoever has the handle may ask.

        Args:
            handle: The job.
            history: With metrics and events of all the time. Without, it is cheap enough to be asked a few
                times a second for days.
        """
        ...

    def cancel(self, handle: Handle) -> bool:
        """End the job behind a checkpoint; False if nobody works on it."""
        ...

    def mismatches(self, configuration: JobConfiguration, training: Training) -> list[str]:
        """Compare what was really used with what was asked for; empty if they are the same."""
        ...
