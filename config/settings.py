"""Every setting: its type, its range, its section. Defaults live in defaults.yaml and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(ge=0.0, le=86_400.0)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Section(BaseModel):
    """A group of settings: immutable, and deaf to no key."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


class Paths(Section):
    """Where things are; `~` is the user's home."""

    inbox: Path
    models_dir: Path
    state_dir: Path | None

    @field_validator("inbox", "models_dir", "state_dir")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        if value is None:
            return None
        expanded = value.expanduser()
        if not expanded.is_absolute():
            raise ValueError("must be an absolute path, or start with ~")
        return expanded


class Inbox(Section):
    """When a dropped file is read, and how much of it."""

    stable_seconds: Seconds
    quiet_seconds: Seconds
    scan_seconds: Annotated[float, Field(ge=0.1, le=3600.0)]
    max_file_bytes: PositiveInt
    max_archive_members: PositiveInt
    max_archive_bytes: PositiveInt
    max_archive_ratio: PositiveInt


class Queue(Section):
    """How runs are driven."""

    workers: Annotated[int, Field(ge=2, le=32)]
    reconcile_seconds: Annotated[float, Field(ge=0.5, le=3600.0)]
    max_attempts: Annotated[int, Field(ge=1, le=100)]


class BaseModelChoice(Section):
    """The model that is tuned."""

    name: Text


class PublicSource(Section):
    """One public data set."""

    source: Text
    revision: Text | None
    max_rows: PositiveInt | None


class Datasets(Section):
    """What the training examples are made of and how they are divided."""

    crossvul: PublicSource
    cvefixes: PublicSource
    domain: Text
    valid_fraction: Annotated[float, Field(gt=0.0, le=0.4)]
    test_fraction: Annotated[float, Field(gt=0.0, le=0.4)]
    quality_weight_multiplier: Annotated[float, Field(ge=1.0, le=10.0)]
    context_lines: Annotated[int, Field(ge=0, le=200)]
    replay_ratio: Fraction


class Lora(Section):
    """The shape of the adapter (hard limits of the universal job configuration)."""

    rank: Annotated[int, Field(ge=1, le=256)]
    alpha: Annotated[float, Field(ge=1, le=512)]
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)]
    trainable_modules: Annotated[tuple[Text, ...], Field(min_length=1)]


class Training(Section):
    """What both stages share."""

    max_seq_length: Annotated[int, Field(ge=64, le=33_000)]
    mask_prompt: bool
    num_layers: Annotated[int, Field(ge=-1)]
    grad_accumulation_steps: Annotated[int, Field(ge=1, le=16)]
    grad_checkpoint: bool
    weight_decay: Fraction
    report_every: PositiveInt
    evaluate_every: PositiveInt
    valid_batches: Annotated[int, Field(ge=-1)]
    checkpoint_every: PositiveInt
    preload_library: Path | None
    lora: Lora

    @field_validator("num_layers", "valid_batches")
    @classmethod
    def _not_zero(cls, value: int) -> int:
        if value == 0:
            raise ValueError("must be -1 (all) or at least 1")
        return value


class Stage(Section):
    """What differs between the stages."""

    iters: PositiveInt
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)]
    batch_size: Annotated[int, Field(ge=1, le=64)]


class Evaluation(Section):
    """How the models are compared."""

    max_cases: PositiveInt | None
    extra_tokens: Annotated[int, Field(ge=0, le=4096)]


class Fuse(Section):
    """How the adapter goes into the model."""

    dequantize: bool


class Certify(Section):
    """How a finished model is named, and whether it is taken into use."""

    family: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    version: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,8}$")]
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


class Settings(Section):
    """All settings. A value is only ever read through this model."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    paths: Paths
    inbox: Inbox
    queue: Queue
    base_model: BaseModelChoice
    datasets: Datasets
    training: Training
    stage1: Stage
    stage2: Stage
    evaluation: Evaluation
    fuse: Fuse
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
