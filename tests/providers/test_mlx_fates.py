"""MLX as a provider: every key of a job configuration reaches the trainer's request, or is spoken of."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, get_args, get_origin

import pytest

from config.job import fields, read
from jobs.children.request import to_json
from jobs.providers.mlx.parameters import MlxParameters
from jobs.providers.mlx.provider import Mlx
from jobs.providers.mlx.request import training_request
from jobs.providers.provider import Training, Verdict

HASH = "0" * 64


@dataclass(frozen=True)
class Reaches:
    """The request says `value` under `place`."""

    given: Any
    place: str
    value: Any


@dataclass(frozen=True)
class Refused:
    """There is an error under the key."""

    given: Any


@dataclass(frozen=True)
class Warned:
    """There is a warning under the key, and the request stays the same."""

    given: Any


@dataclass(frozen=True)
class AlwaysSo:
    """The provider lists it as always in use; the request stays the same."""

    given: Any


Fate = Reaches | Refused | Warned | AlwaysSo
LORA, SCHEDULE = "params.lora_parameters", "params.lr_schedule"


# A key of the configuration, with its option where there is a fixed choice, and what becomes of it.
FATES: dict[tuple[str, str | None], Fate] = {
    ("model.base_model", None): Refused("another"),
    ("model.precision", "fp32"): Reaches("fp32", "model", "{base}"),  # it is what the model holds
    ("model.precision", "fp16"): Refused("fp16"),
    ("model.precision", "bf16"): Refused("bf16"),
    ("model.precision", "fp8"): Refused("fp8"),
    ("model.precision", "int8"): Refused("int8"),
    ("model.precision", "int4"): Refused("int4"),
    ("datasets.training.sha256", None): Refused(HASH),
    ("datasets.validation.sha256", None): Refused(HASH),
    ("method.type", "lora"): Reaches("lora", "params.fine_tune_type", "lora"),
    ("method.type", "qlora"): Refused("qlora"),
    ("method.type", "dora"): Reaches("dora", "params.fine_tune_type", "dora"),
    ("method.type", "full"): Reaches("full", "params.fine_tune_type", "full"),
    ("method.lora.rank", None): Reaches(4, f"{LORA}.rank", 4),
    ("method.lora.alpha", None): Reaches(32, f"{LORA}.scale", 4.0),
    ("method.lora.dropout", None): Reaches(0.2, f"{LORA}.dropout", 0.2),
    ("method.lora.trainable_modules", None): Reaches(["mlp.up_proj"], f"{LORA}.keys", ["mlp.up_proj"]),
    ("schedule.epochs", None): Reaches(2, "params.iters", 4),  # 7 examples in batches of 4
    ("schedule.iters", None): Reaches(9, "params.iters", 9),
    ("schedule.batch_size", None): Reaches(3, "params.batch_size", 3),
    ("schedule.sequence_length", None): Reaches(512, "params.max_seq_length", 512),
    ("schedule.gradient_accumulation", None): Reaches(2, "params.grad_accumulation_steps", 2),
    ("schedule.checkpoints", None): Reaches(5, "params.save_every", 4),
    ("schedule.evaluations", None): Reaches(3, "params.steps_per_eval", 7),
    ("schedule.train_on_inputs", "auto"): Reaches("auto", "params.mask_prompt", True),
    ("schedule.train_on_inputs", "enabled"): Reaches("enabled", "params.mask_prompt", False),
    ("schedule.train_on_inputs", "disabled"): Reaches("disabled", "params.mask_prompt", True),
    ("optimizer.learning_rate", None): Reaches(1e-3, "params.learning_rate", 1e-3),
    ("optimizer.scheduler.type", "cosine"): Reaches("cosine", f"{SCHEDULE}.type", "cosine"),
    ("optimizer.scheduler.type", "linear"): Reaches("linear", f"{SCHEDULE}.type", "linear"),
    ("optimizer.scheduler.type", "constant"): Reaches("constant", f"{SCHEDULE}.type", "constant"),
    ("optimizer.scheduler.type", "constant_with_warmup"): Reaches(
        "constant_with_warmup", f"{SCHEDULE}.type", "constant"
    ),
    ("optimizer.scheduler.type", "polynomial"): Reaches("polynomial", f"{SCHEDULE}.type", "polynomial"),
    ("optimizer.scheduler.min_lr_ratio", None): Reaches(0.1, f"{SCHEDULE}.min_lr_ratio", 0.1),
    ("optimizer.scheduler.warmup_ratio", None): Reaches(0.1, f"{SCHEDULE}.warmup_ratio", 0.1),
    ("optimizer.scheduler.cycles", None): Reaches(2, f"{SCHEDULE}.cycles", 2.0),
    ("optimizer.weight_decay", None): Reaches(0.1, "params.weight_decay", 0.1),
    ("optimizer.max_gradient_norm", None): Reaches(0.5, "params.max_gradient_norm", 0.5),
    ("optimizations", "flash_attention"): AlwaysSo(["flash_attention"]),
    ("optimizations", "gradient_checkpointing"): Reaches(
        ["gradient_checkpointing"], "params.grad_checkpoint", True
    ),
    ("optimizations", "optimizer_8bit"): Refused(["optimizer_8bit"]),
    ("optimizations", "paged_optimizer"): Warned(["paged_optimizer"]),
    ("optimizations", "fused_kernels"): AlwaysSo(["fused_kernels"]),
    ("optimizations", "sequence_packing"): Refused(["sequence_packing"]),
    ("optimizations", "dynamic_padding"): AlwaysSo(["dynamic_padding"]),
    ("optimizations", "activation_offloading"): Warned(["activation_offloading"]),
    ("hardware.accelerator", "cpu"): Warned("cpu"),
    ("hardware.accelerator", "gpu"): Warned("gpu"),
    ("hardware.machines", None): Refused(2),
    ("integrations.wandb.project", None): Warned("p"),
    ("integrations.wandb.run_name", None): Warned("r"),
    ("integrations.wandb.base_url", None): Warned("u"),
    ("integrations.huggingface_repository", None): Warned("me/model"),
    ("output.suffix", None): Warned("mine"),
    ("metadata", None): Refused({"colour": "red"}),
    ("metadata.seed", None): Reaches(7, "seed", 7),
    ("metadata.num_layers", None): Reaches(1, "params.num_layers", 1),
    ("metadata.batch_tokens", None): Reaches(4096, "params.batch_tokens", 4096),
    ("metadata.report_every", None): Reaches(3, "params.steps_per_report", 3),
    ("metadata.checkpoint_every", None): Reaches(3, "params.save_every", 3),
    ("metadata.evaluate_every", None): Reaches(3, "params.steps_per_eval", 3),
    ("metadata.valid_batches", None): Reaches(3, "params.val_batches", 3),
    ("metadata.keep_best", None): Reaches(False, "params.keep_best", False),
    ("metadata.early_stopping_patience", None): Reaches(3, "params.early_stopping_patience", 3),
    ("metadata.hosts", None): Reaches(["a", "b"], "launch.hosts", ["a", "b"]),
    ("metadata.launch_backend", None): Reaches("mpi", "launch.backend", "mpi"),
    ("metadata.launch_port", None): Reaches(40_000, "launch.port", 40_000),
    ("metadata.memory_limit_gb", None): Reaches(8.0, "params.memory.memory_limit_gb", 8.0),
    ("metadata.cache_limit_gb", None): Reaches(1.0, "params.memory.cache_limit_gb", 1.0),
    ("metadata.wired_limit_gb", None): Reaches(8.0, "params.memory.wired_limit_gb", 8.0),
}
# What must stand beside a key for it to be allowed, or to matter.
BESIDE: dict[str, dict[str, Any]] = {
    "integrations.wandb.run_name": {"integrations": {"wandb": {"project": "p"}}},
    "integrations.wandb.base_url": {"integrations": {"wandb": {"project": "p"}}},
    "metadata.checkpoint_every": {"schedule": {"iters": 20, "checkpoints": None, "evaluations": None}},
    "metadata.evaluate_every": {"schedule": {"iters": 20, "checkpoints": None, "evaluations": None}},
    "schedule.epochs": {"schedule": {"batch_size": 4}},
    "model.base_model": {"schedule": {"iters": 20}, "model": {}},
}


def options(annotation: Any) -> list[str | None]:
    """Every value of a fixed choice, also inside of a union or a tuple; [None] where there is none."""
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    found = [option for part in get_args(annotation) for option in options(part) if option is not None]
    return found or [None]


def test_every_key_and_every_option_of_a_job_configuration_has_a_fate() -> None:
    expected = {(key, option) for key, field in fields() for option in options(field.annotation)}
    expected |= {(f"metadata.{name}", None) for name in MlxParameters.model_fields}
    assert set(FATES) == expected


def values_for(key: str, given: Any, plain: dict[str, Any]) -> dict[str, Any]:
    """A plain job with one key changed, and with what must stand beside it."""
    values = copy.deepcopy({**plain, **BESIDE.get(key, {})})
    values["model"] = {**plain["model"], **values["model"]}
    *groups, last = key.split(".")
    reduce(lambda inner, group: inner.setdefault(group, {}), groups, values)[last] = given
    return values


def request_for(values: dict[str, Any], training: Training) -> dict[str, Any]:
    """The request that the trainer gets, as JSON."""
    return to_json(training_request(read(values), training))


def keys(problems: tuple[Any, ...]) -> set[str]:
    return {problem.key for problem in problems}


def found(request: dict[str, Any], place: str) -> Any:
    return reduce(lambda section, key: section[key], place.split("."), request)


def of_kind(kind: type) -> list[Any]:
    return [
        pytest.param(key, fate, id=f"{key}={option}")
        for (key, option), fate in FATES.items()
        if isinstance(fate, kind)
    ]


@pytest.mark.parametrize(("key", "fate"), of_kind(Reaches))
def test_what_is_honoured_is_in_the_trainers_request(
    key: str, fate: Reaches, training: Training, plain: dict[str, Any]
) -> None:
    values = values_for(key, fate.given, plain)
    assert Mlx().validate(values, training).errors == ()
    request = request_for(values, training)
    expected = str(training.base_model) if fate.value == "{base}" else fate.value
    assert found(request, fate.place) == expected
    if (key, None) in FATES:  # where there is a choice, one of its options is the default
        assert found(request_for(plain, training), fate.place) != expected


@pytest.mark.parametrize(("key", "fate"), of_kind(Refused))
def test_what_would_change_the_result_is_refused_under_its_key(
    key: str, fate: Refused, training: Training, plain: dict[str, Any]
) -> None:
    verdict = Mlx().validate(values_for(key, fate.given, plain), training)
    blamed = keys(verdict.errors)
    assert any(each.startswith(key.removesuffix(".sha256")) for each in blamed)
    assert all(problem.remedy for problem in verdict.errors)


@pytest.mark.parametrize(("key", "fate"), of_kind(Warned))
def test_what_is_harmless_is_a_warning_and_changes_nothing(
    key: str, fate: Warned, training: Training, plain: dict[str, Any]
) -> None:
    values = values_for(key, fate.given, plain)
    verdict = Mlx().validate(values, training)
    assert verdict.errors == ()
    assert key in keys(verdict.warnings)
    assert request_for(values, training) == request_for(plain, training)


@pytest.mark.parametrize(("key", "fate"), of_kind(AlwaysSo))
def test_what_is_always_in_use_is_listed_so(
    key: str, fate: AlwaysSo, training: Training, plain: dict[str, Any]
) -> None:
    assert set(fate.given) <= set(Mlx().capabilities().always)
    assert Mlx().validate(values_for(key, fate.given, plain), training) == Verdict()


def test_a_plain_job_is_neither_refused_nor_warned_of(training: Training, plain: dict[str, Any]) -> None:
    assert Mlx().validate(plain, training) == Verdict()
