"""The hard limits of a training, each once: settings, job configuration and providers use these types.

Limits of the universal job configuration; both ends belong to the range. What a provider cannot do with a
value inside of them it says itself (`jobs.providers`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("must be -1 (all) or at least 1")
    return value


def _none_or_several(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(value) == 1:
        raise ValueError("must be empty (train here, alone) or name at least 2, this machine first")
    return value


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveInt = Annotated[int, Field(ge=1)]
AllOrSome = Annotated[int, Field(ge=-1), AfterValidator(_not_zero)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Precision = Literal["fp32", "fp16", "bf16", "fp8", "int8", "int4"]
Method = Literal["full", "lora", "qlora", "dora"]
Scheduler = Literal["cosine", "linear", "constant", "constant_with_warmup", "polynomial"]
TrainOnInputs = Literal["auto", "enabled", "disabled"]
Optimization = Literal[
    "flash_attention",
    "gradient_checkpointing",
    "optimizer_8bit",
    "paged_optimizer",
    "fused_kernels",
    "sequence_packing",
    "dynamic_padding",
    "activation_offloading",
]

Epochs = Annotated[int, Field(ge=1, le=20)]
BatchSize = Annotated[int, Field(ge=1, le=64)]
SequenceLength = Annotated[int, Field(ge=512, le=33_000)]
GradientAccumulation = Annotated[int, Field(ge=1, le=16)]
Checkpoints = Annotated[int, Field(ge=0, le=10)]
Evaluations = Annotated[int, Field(ge=0, le=20)]
LearningRate = Annotated[float, Field(ge=0.0, le=1.0)]
WeightDecay = Fraction
MaxGradientNorm = Annotated[float, Field(ge=0.0, le=10.0)]
WarmupRatio = Fraction
MinLrRatio = Fraction
Cycles = Annotated[float, Field(ge=0.5, le=10.0)]
Rank = Annotated[int, Field(ge=1, le=256)]
Alpha = Annotated[float, Field(ge=1.0, le=512.0)]
Dropout = Fraction
TrainableModules = Annotated[tuple[Text, ...], Field(min_length=1)]

Host = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*$")
]
Hosts = Annotated[tuple[Host, ...], Field(max_length=64), AfterValidator(_none_or_several)]
LaunchBackend = Literal["ring", "mpi"]
LaunchPort = Annotated[int, Field(ge=1024, le=65_000)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
BatchTokens = Annotated[int, Field(ge=128)]
Gigabytes = Annotated[float, Field(ge=0.0)]
SomeGigabytes = Annotated[float, Field(gt=0.0)]
