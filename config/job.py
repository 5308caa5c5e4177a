"""The universal job configuration: what a training is asked for, in words that any provider translates.

Settings become a job configuration (`of_stage`), a provider validates and translates it. Types and ranges
come from `config.ranges`; the defaults here are those of a job that says nothing else, while the two stages'
own come from defaults.yaml by way of the settings.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import Field, StringConstraints, ValidationError, model_validator
from pydantic.fields import FieldInfo

from config import ranges
from config.ranges import PositiveInt, Sha256, Text
from config.section import Section
from config.settings import Settings

STAGE = "stage{}"
OUT_OF_RANGE = (
    "greater_than",
    "less_than",
    "too_short",
    "too_long",
    "literal_error",
    "string_pattern",
    "string_too",
)


class Model(Section):
    """The model that is tuned."""

    base_model: Annotated[Text, Field(description="Name or folder of the model that is tuned.")]
    precision: Annotated[
        ranges.Precision | None,
        Field(description="Numbers the base model must hold; null takes it as it is."),
    ] = None


class DataReference(Section):
    """A set of examples, named by its content."""

    sha256: Annotated[Sha256, Field(description="SHA-256 of the file of examples.")]


class Data(Section):
    """What is learned from, and what the loss is measured on meanwhile."""

    training: Annotated[DataReference | None, Field(description="The examples to learn from.")] = None
    validation: Annotated[
        DataReference | None, Field(description="The examples that the validation loss is measured on.")
    ] = None


class LoraShape(Section):
    """The shape of an adapter."""

    rank: Annotated[ranges.Rank, Field(description="Rank of the low-rank matrices.")] = 8
    alpha: Annotated[ranges.Alpha, Field(description="Weight of the adapter, times its rank.")] = 16.0
    dropout: Annotated[ranges.Dropout, Field(description="Dropout in front of the matrices.")] = 0.0
    trainable_modules: Annotated[
        ranges.TrainableModules, Field(description="Layers that get matrices, relative to a block.")
    ] = ("self_attn.q_proj", "self_attn.v_proj")


class MethodChoice(Section):
    """What of the model is trained."""

    type: Annotated[ranges.Method, Field(description="full, lora, qlora or dora.")] = "lora"
    lora: Annotated[LoraShape | None, Field(description="The adapter's shape; null means its defaults.")] = (
        None
    )


class Plan(Section):
    """How long and in which portions is learned: epochs or iters, not both."""

    epochs: Annotated[ranges.Epochs | None, Field(description="Passes over the training set.")] = None
    iters: Annotated[PositiveInt | None, Field(description="Batches, instead of epochs.")] = None
    batch_size: Annotated[ranges.BatchSize, Field(description="Examples per batch.")] = 4
    sequence_length: Annotated[ranges.SequenceLength, Field(description="Longest example in tokens.")] = 2048
    gradient_accumulation: Annotated[
        ranges.GradientAccumulation, Field(description="Batches per update of the weights.")
    ] = 1
    checkpoints: Annotated[
        ranges.Checkpoints | None,
        Field(description="Checkpoints over the whole training; null leaves it to the provider."),
    ] = 1
    evaluations: Annotated[
        ranges.Evaluations | None,
        Field(description="Validations over the whole training; null leaves it to the provider."),
    ] = 1
    train_on_inputs: Annotated[
        ranges.TrainOnInputs, Field(description="Learn the prompts, too; auto means no.")
    ] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _three_epochs_where_nothing_is_said(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        given = [key for key in ("epochs", "iters") if values.get(key) is not None]
        if len(given) == 2:
            raise ValueError("epochs and iters are two ways to say the same: give one of them")
        return values if given else {**values, "epochs": 3}


class SchedulerChoice(Section):
    """How the learning rate changes over a training."""

    type: Annotated[ranges.Scheduler, Field(description="How the rate goes on after the warm-up.")] = "cosine"
    min_lr_ratio: Annotated[
        ranges.MinLrRatio, Field(description="Where it ends, as a share of the learning rate.")
    ] = 0.0
    warmup_ratio: Annotated[
        ranges.WarmupRatio, Field(description="Share of the updates during which it rises.")
    ] = 0.0
    cycles: Annotated[ranges.Cycles, Field(description="Full waves of cosine; 0.5 falls once.")] = 0.5


class OptimizerChoice(Section):
    """How the weights are changed."""

    learning_rate: Annotated[ranges.LearningRate, Field(description="Highest learning rate.")] = 1e-5
    scheduler: Annotated[SchedulerChoice, Field(description="How the rate changes.")] = SchedulerChoice()
    weight_decay: Annotated[ranges.WeightDecay, Field(description="Decoupled weight decay.")] = 0.0
    max_gradient_norm: Annotated[
        ranges.MaxGradientNorm, Field(description="A gradient is scaled down to this norm; 0 means never.")
    ] = 1.0


class Hardware(Section):
    """What the training should run on."""

    accelerator: Annotated[Literal["cpu", "gpu"] | None, Field(description="Kind of device.")] = None
    machines: Annotated[int, Field(ge=1, le=64, description="Machines that train together.")] = 1


class WeightsAndBiases(Section):
    """Where Weights & Biases should be told of a training."""

    project: Annotated[Text, Field(description="Project.")]
    run_name: Annotated[Text | None, Field(description="Name of the run.")] = None
    base_url: Annotated[Text | None, Field(description="Server; null means the public one.")] = None


class Integrations(Section):
    """Who else is told, or given the result."""

    wandb: Annotated[WeightsAndBiases | None, Field(description="Weights & Biases.")] = None
    huggingface_repository: Annotated[Text | None, Field(description="Hub repository for the result.")] = None


class Output(Section):
    """How the result is called."""

    suffix: Annotated[
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] | None,
        Field(description="Added to the result's name."),
    ] = None


class JobConfiguration(Section):
    """One training, as any provider can be asked for it."""

    model: Model
    datasets: Data = Data()
    method: MethodChoice = MethodChoice()
    schedule: Plan = Plan()
    optimizer: OptimizerChoice = OptimizerChoice()
    optimizations: Annotated[
        tuple[ranges.Optimization, ...], Field(description="Ways to save time or memory.")
    ] = ()
    hardware: Hardware | None = None
    integrations: Integrations | None = None
    output: Output = Output()
    metadata: Annotated[
        dict[str, Any], Field(description="Parameters that only this provider knows.", default_factory=dict)
    ]


# Where each part of a job configuration comes from; a stage's own settings are in stage1 or stage2.
SETTING_OF: dict[str, str] = {
    "model.base_model": "base_model.name",
    "method.type": "training.method",
    "method.lora.rank": "training.lora.rank",
    "method.lora.alpha": "training.lora.alpha",
    "method.lora.dropout": "training.lora.dropout",
    "method.lora.trainable_modules": "training.lora.trainable_modules",
    "schedule.iters": f"{STAGE}.iters",
    "schedule.batch_size": f"{STAGE}.batch_size",
    "schedule.sequence_length": "training.max_seq_length",
    "schedule.gradient_accumulation": "training.grad_accumulation_steps",
    "schedule.train_on_inputs": "training.mask_prompt",
    "optimizer.learning_rate": f"{STAGE}.learning_rate",
    "optimizer.scheduler.type": "training.schedule.type",
    "optimizer.scheduler.min_lr_ratio": "training.schedule.min_lr_ratio",
    "optimizer.scheduler.warmup_ratio": "training.schedule.warmup_ratio",
    "optimizer.scheduler.cycles": "training.schedule.cycles",
    "optimizer.weight_decay": "training.weight_decay",
    "optimizer.max_gradient_norm": "training.max_gradient_norm",
    "optimizations": "training.grad_checkpoint",
    "metadata.seed": "seed",
    "metadata.num_layers": "training.num_layers",
    "metadata.batch_tokens": "training.batch_tokens",
    "metadata.report_every": "training.report_every",
    "metadata.checkpoint_every": "training.checkpoint_every",
    "metadata.evaluate_every": "training.evaluate_every",
    "metadata.valid_batches": "training.valid_batches",
    "metadata.keep_best": "training.keep_best",
    "metadata.early_stopping_patience": "training.early_stopping_patience",
    "metadata.hosts": "training.hosts",
    "metadata.launch_backend": "training.launch_backend",
    "metadata.launch_port": "training.launch_port",
    "metadata.memory_limit_gb": "training.memory.memory_limit_gb",
    "metadata.cache_limit_gb": "training.memory.cache_limit_gb",
    "metadata.wired_limit_gb": "training.memory.wired_limit_gb",
}
_CONVERTED: dict[str, Callable[[Any], Any]] = {
    "schedule.train_on_inputs": lambda mask_prompt: "disabled" if mask_prompt else "enabled",
    "optimizer.max_gradient_norm": lambda norm: norm or 0.0,
    "optimizations": lambda grad_checkpoint: ("gradient_checkpointing",) if grad_checkpoint else (),
    "metadata.hosts": list,  # metadata is plain JSON
}


@dataclass(frozen=True)
class Problem:
    """What is wrong with one key of a job configuration, or what it will not do."""

    key: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.key}: {self.message} {self.remedy}".rstrip()

    def to_json(self) -> dict[str, str]:
        """A dict of plain JSON values."""
        return asdict(self)


class ConfigurationError(ValueError):
    """A job configuration has the wrong shape, or else values outside of their ranges."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


def read(values: Mapping[str, Any]) -> JobConfiguration:
    """Check a job configuration's shape, then its ranges.

    Raises:
        ConfigurationError: With every problem of the shape; where that is right, with every one of range.
    """
    try:
        return JobConfiguration.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(problems_of(error)) from error


def problems_of(error: ValidationError) -> list[Problem]:
    """What pydantic found, in the order of validation: ranges are not told before the shape is right."""
    found = [(item["type"].startswith(OUT_OF_RANGE), _problem(item)) for item in error.errors()]
    shape = [problem for out_of_range, problem in found if not out_of_range]
    return shape or [problem for _, problem in found]


def _problem(item: Any) -> Problem:
    given = "" if isinstance(item["input"], dict) else f" (given: {item['input']!r})"
    key = ".".join(str(part) for part in item["loc"])
    return Problem(key, f"{item['msg'].removeprefix('Value error, ')}{given}.")


def of_stage(
    settings: Settings, number: int, base_model: str | None = None, data: Data | None = None
) -> JobConfiguration:
    """What the settings ask for in one stage.

    Args:
        settings: All settings.
        number: 1 or 2.
        base_model: Where the base model was found; by default its name from the settings.
        data: The stage's examples, once they are there.
    """
    values: dict[str, Any] = {"schedule": {"checkpoints": None, "evaluations": None}}  # intervals: metadata
    for key in SETTING_OF:
        value = reduce(getattr, str(setting_of(key, number)).split("."), settings)
        _put(values, key, _CONVERTED.get(key, lambda same: same)(value))
    if values["method"]["type"] == "full":
        del values["method"]["lora"]
    values["model"]["base_model"] = base_model or values["model"]["base_model"]
    values["datasets"] = data or Data()
    return JobConfiguration.model_validate(values)


def setting_of(key: str, number: int) -> str | None:
    """The setting that a key of a stage's job configuration comes from; None if it comes from none."""
    name = SETTING_OF.get(key)
    return name.format(number) if name else None


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *groups, last = key.split(".")
    for group in groups:
        values = values.setdefault(group, {})
    values[last] = value


def fields(section: type[Section] = JobConfiguration, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every key of a job configuration with its field, groups opened."""
    for name, field in section.model_fields.items():
        inner = section_in(field.annotation)
        if inner is None:
            yield f"{prefix}{name}", field
        else:
            yield from fields(inner, f"{prefix}{name}.")


def section_in(annotation: Any) -> type[Section] | None:
    """The group that a field holds, also where it may be null."""
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return next(
        (each for each in options if isinstance(each, type) and issubclass(each, Section)),
        None,
    )
