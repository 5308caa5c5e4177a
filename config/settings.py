"""Every setting: its type, its section; the ranges of a training are in ranges.py, the base in section.py.

Defaults live in defaults.yaml and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from config.ranges import (
    AllOrSome,
    Alpha,
    BatchSize,
    BatchTokens,
    Cycles,
    Dropout,
    Fraction,
    Gigabytes,
    GradientAccumulation,
    Hosts,
    LaunchBackend,
    LaunchPort,
    LearningRate,
    MaxGradientNorm,
    Method,
    MinLrRatio,
    PositiveInt,
    ProviderName,
    Rank,
    Scheduler,
    Seed,
    SequenceLength,
    SomeGigabytes,
    Text,
    TrainableModules,
    WarmupRatio,
    WeightDecay,
)
from config.section import AbsolutePath, Percent, Seconds, Section


class Paths(Section):
    """Where things are; `~` is the user's home."""

    inbox: AbsolutePath
    models_dir: AbsolutePath
    state_dir: AbsolutePath | None


class Inbox(Section):
    """When a dropped file is read, and how much of it."""

    stable_seconds: Seconds
    quiet_seconds: Seconds
    gather_while_training: bool
    scan_seconds: Annotated[float, Field(ge=0.1, le=3600.0)]
    max_file_bytes: PositiveInt
    max_archive_members: PositiveInt
    max_archive_bytes: PositiveInt
    max_archive_ratio: PositiveInt


QUEUE_SCHEMES = {
    "redis": ("redis://", "rediss://", "unix://"),
    "postgresql": ("postgresql://", "postgres://"),
}


class Queue(Section):
    """How runs are driven."""

    workers: Annotated[int, Field(ge=2, le=32)]
    reconcile_seconds: Annotated[float, Field(ge=0.5, le=3600.0)]
    max_attempts: Annotated[int, Field(ge=1, le=100)]
    storage: Literal["sqlite", "redis", "postgresql"]
    url: SecretStr | None

    @model_validator(mode="after")
    def _address_is_of_that_server(self) -> Queue:
        if self.url is None:
            return self
        schemes = QUEUE_SCHEMES.get(self.storage)
        if schemes is None:
            raise ValueError("queue.url needs queue.storage: redis or postgresql")
        if not self.url.get_secret_value().startswith(schemes):
            raise ValueError(f"queue.url must begin with {' or '.join(schemes)} for {self.storage}")
        return self


class Disk(Section):
    """What is left free."""

    reserve_mb: Annotated[int, Field(ge=0, le=1_000_000)]


class Power(Section):
    """When the device is left alone."""

    on_battery: Literal["train", "wait"]
    in_low_power_mode: Literal["train", "wait"]
    quiet_hours: (
        Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")] | None
    )
    keep_awake: bool

    @field_validator("quiet_hours")
    @classmethod
    def _some_hours_are_left(cls, value: str | None) -> str | None:
        if value is not None and value[:5] == value[6:]:
            raise ValueError("must begin and end at different times, or training would always wait")
        return value


class Notify(Section):
    """Who is told when a run ends or needs a person."""

    desktop: bool
    command: Annotated[tuple[Text, ...], Field(min_length=1)] | None
    timeout_seconds: Annotated[float, Field(gt=0.0, le=600.0)]


class BaseModelChoice(Section):
    """The model that is tuned, and where it comes from when it is not there yet."""

    name: Text
    source: Text | None
    revision: Text | None
    bits: Literal[3, 4, 5, 6, 8] | None
    group_size: Literal[32, 64, 128]


class PublicSource(Section):
    """One public data set; without a place it is not used."""

    source: Text | None
    revision: Text | None
    max_rows: PositiveInt | None

    @field_validator("source")
    @classmethod
    def _local_means_absolute(cls, value: str | None) -> str | None:
        if value is not None and value.startswith("."):
            raise ValueError("must be a Hub id, an absolute path, or start with ~")
        return value


class Datasets(Section):
    """What the training examples are made of and how they are divided."""

    sources: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")], PublicSource]
    domain: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
    include_advice: bool
    valid_fraction: Annotated[float, Field(gt=0.0, le=0.4)]
    test_fraction: Annotated[float, Field(gt=0.0, le=0.4)]
    quality_weight_multiplier: Annotated[float, Field(ge=1.0, le=10.0)]
    augmentation: Annotated[int, Field(ge=0, le=4)]
    context_lines: Annotated[int, Field(ge=0, le=200)]
    replay_ratio: Fraction


class Lora(Section):
    """The shape of the adapter (hard limits of the universal job configuration)."""

    rank: Rank
    alpha: Alpha
    dropout: Dropout
    trainable_modules: TrainableModules


class Schedule(Section):
    """How the learning rate changes over a training."""

    type: Scheduler
    warmup_ratio: WarmupRatio
    min_lr_ratio: MinLrRatio
    cycles: Cycles


class Memory(Section):
    """Limits that MLX is given, in GB (10**9 bytes); null leaves MLX's own."""

    memory_limit_gb: SomeGigabytes | None
    cache_limit_gb: Gigabytes | None
    wired_limit_gb: SomeGigabytes | None


class Training(Section):
    """What both stages share; whether there is a provider of that name, the run's training step says."""

    provider: ProviderName
    method: Method
    max_seq_length: SequenceLength
    mask_prompt: bool
    num_layers: AllOrSome
    grad_accumulation_steps: GradientAccumulation
    grad_checkpoint: bool
    weight_decay: WeightDecay
    report_every: PositiveInt
    evaluate_every: PositiveInt
    valid_batches: AllOrSome
    checkpoint_every: PositiveInt
    preload_library: AbsolutePath | None
    reuse_stage1: bool
    batch_tokens: BatchTokens | None
    max_gradient_norm: MaxGradientNorm | None
    keep_best: bool
    early_stopping_patience: PositiveInt | None
    hosts: Hosts
    launch_backend: LaunchBackend
    launch_port: LaunchPort
    schedule: Schedule
    memory: Memory
    lora: Lora


class Stage(Section):
    """What differs between the stages."""

    iters: PositiveInt
    learning_rate: LearningRate
    batch_size: BatchSize


class Evaluation(Section):
    """How the models are compared."""

    max_cases: PositiveInt | None
    extra_tokens: Annotated[int, Field(ge=0, le=4096)]
    batch_size: Annotated[int, Field(ge=1, le=256)]


class Fuse(Section):
    """How the adapter goes into the model."""

    dequantize: bool


class Gates(Section):
    """Thresholds in percent; a model that misses one is certified but not taken into use."""

    stage1_exact_match: Percent | None
    stage2_exact_match: Percent | None
    retention: Percent | None
    better_than_current: bool


class Certify(Section):
    """How a finished model is named, and whether it is taken into use."""

    family: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,79}$")]
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
    activate: bool


class Upload(Section):
    """What leaves the machine: nothing, unless it is switched on."""

    enabled: bool
    repository: Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")] | None
    private: bool

    @model_validator(mode="after")
    def _repository_is_named(self) -> Upload:
        if self.enabled and self.repository is None:
            raise ValueError("upload.enabled needs upload.repository")
        return self


class Log(Section):
    """What is written about all this, and how long it is kept."""

    level: Literal["debug", "info", "warning", "error"]
    max_bytes: Annotated[int, Field(ge=1024)]
    backups: Annotated[int, Field(ge=1, le=100)]


class Findings(Section):
    """What is added to what the reports say."""

    source: Path | None

    @field_validator("source")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        if not value.expanduser().is_absolute():
            raise ValueError("must be an absolute path, or start with ~")
        return value.expanduser()


class Settings(Section):
    """All settings. A value is only ever read through this model."""

    seed: Seed
    paths: Paths
    inbox: Inbox
    findings: Findings
    queue: Queue
    disk: Disk
    power: Power
    notify: Notify
    base_model: BaseModelChoice
    datasets: Datasets
    training: Training
    stage1: Stage
    stage2: Stage
    evaluation: Evaluation
    fuse: Fuse
    gates: Gates
    certify: Certify
    upload: Upload
    log: Log

    @model_validator(mode="after")
    def _training_part_is_left(self) -> Settings:
        if self.datasets.valid_fraction + self.datasets.test_fraction > 0.5:
            raise ValueError(
                "datasets.valid_fraction + datasets.test_fraction leave less than half to train on"
            )
        return self

    def stage(self, number: int) -> Stage:
        """The settings of stage 1 or stage 2."""
        return self.stage1 if number == 1 else self.stage2
