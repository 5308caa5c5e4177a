"""What MLX has to say of a job configuration whose shape and ranges are right.

An error where the result would be another one than was asked for, a warning where it only takes longer, or
takes more memory, or where nobody is told of it. Nothing is ignored in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from config.job import JobConfiguration, Problem
from jobs.fs import files
from jobs.providers.mlx import base_weights, parameters
from jobs.providers.mlx.base_weights import BaseWeights
from jobs.providers.provider import Training, Verdict

PRECISIONS = ("fp32", "fp16", "bf16", "int8", "int4")
HONOURED = ("gradient_checkpointing",)
ALWAYS = ("flash_attention", "fused_kernels", "dynamic_padding")
ONLY_MEMORY = ("paged_optimizer", "activation_offloading")


@dataclass(frozen=True)
class Case:
    """A job configuration, and what is known of its base model and its data."""

    asked: JobConfiguration
    base: BaseWeights | None
    training: Training | None


Rule = Callable[[Case], Iterator[Problem]]


def verdict(asked: JobConfiguration, training: Training | None) -> Verdict:
    """Hold a job configuration to every rule."""
    folder = training.base_model if training else Path(asked.model.base_model)
    case = Case(asked, base_weights.look(folder), training)
    return Verdict(
        tuple(problem for rule in ERRORS for problem in rule(case)),
        tuple(problem for rule in WARNINGS for problem in rule(case)),
    )


def _parameters(case: Case) -> Iterator[Problem]:
    yield from parameters.problems(case.asked)


def _base_model(case: Case) -> Iterator[Problem]:
    asked, training = Path(case.asked.model.base_model).name, case.training
    if training is not None and asked != training.base_model.name:
        yield Problem(
            "model.base_model",
            f"{asked} is asked for, but {training.base_model.name} would be trained.",
            "Name the model that is given.",
        )


def _precision(case: Case) -> Iterator[Problem]:
    wanted = case.asked.model.precision
    if wanted is not None and wanted not in PRECISIONS:
        yield Problem(
            "model.precision", f"MLX does not train {wanted} models.", f"It can: {_or(PRECISIONS)}."
        )
    elif wanted is not None and case.base is not None and wanted != case.base.precision:
        yield Problem(
            "model.precision",
            f"{wanted} is asked for, but the base model holds {case.base.precision}.",
            "Convert the base model (base_model.bits, then `sectune models pull`), or ask for what it holds.",
        )


def _base_of_the_method(case: Case) -> Iterator[Problem]:
    method = case.asked.method.type
    if case.base is None:
        return
    if method == "qlora" and not case.base.quantised:
        yield Problem(
            "method.type",
            f"qlora needs a quantised base model, and this one holds {case.base.precision}.",
            "Ask for lora, or set base_model.bits and a new base_model.name and `sectune models pull`.",
        )
    if method == "full" and case.base.quantised:
        yield Problem(
            "method.type",
            f"full cannot train a quantised base model ({case.base.precision}): it has no gradient.",
            "Ask for lora, qlora or dora, or set base_model.bits: null and a new base_model.name.",
        )


def _tighter_ranges(case: Case) -> Iterator[Problem]:
    lora = case.asked.method.lora
    if lora is not None and lora.dropout == 1.0:
        yield Problem(
            "method.lora.dropout",
            "At 1 nothing reaches the adapter; MLX takes less.",
            "Lower it, to 0.1 say.",
        )
    if case.asked.optimizer.learning_rate == 0.0:
        yield Problem("optimizer.learning_rate", "At 0 nothing is learned.", "Raise it, to 1e-5 say.")


def _updates(case: Case) -> Iterator[Problem]:
    plan = case.asked.schedule
    if plan.iters is not None and plan.iters < plan.gradient_accumulation:
        yield Problem(
            "schedule.gradient_accumulation",
            f"{plan.iters} iterations never reach the first update, after {plan.gradient_accumulation}.",
            "Lower it, or train for more iterations.",
        )


def _two_ways_to_say_it(case: Case) -> Iterator[Problem]:
    for key, parameter in (("checkpoints", "checkpoint_every"), ("evaluations", "evaluate_every")):
        if getattr(case.asked.schedule, key) is not None and parameter in case.asked.metadata:
            yield Problem(
                f"schedule.{key}", f"It says the same as metadata.{parameter}.", "Give one of them."
            )


def _optimizations(case: Case) -> Iterator[Problem]:
    asked = case.asked.optimizations
    if "optimizer_8bit" in asked:
        yield Problem(
            "optimizations",
            "optimizer_8bit is not there: MLX keeps the optimizer's state in the weights' own numbers.",
            "Leave it out.",
        )
    if "sequence_packing" in asked:
        yield Problem(
            "optimizations",
            "sequence_packing is not there: it was measured to be slower (1.2 times).",
            "Leave it out; metadata.batch_tokens fills batches.",
        )


def _machines(case: Case) -> Iterator[Problem]:
    try:
        own = parameters.parameters_of(case.asked)
    except ValidationError:
        return  # `_parameters` tells what is wrong with them
    hardware, machines = case.asked.hardware, max(1, len(set(own.hosts)))
    if hardware is not None and hardware.machines not in (1, machines):
        yield Problem(
            "hardware.machines",
            f"{hardware.machines} machines are asked for; metadata.hosts names {machines}.",
            "Name every machine in metadata.hosts, this one first.",
        )
    if own.batch_tokens is None and case.asked.schedule.batch_size < len(own.hosts):
        yield Problem(
            "schedule.batch_size",
            f"A batch of {case.asked.schedule.batch_size} cannot be shared by {len(own.hosts)} processes.",
            "Raise it (it counts the examples of all of them), or name fewer hosts.",
        )


def _data(case: Case) -> Iterator[Problem]:
    if case.training is None:
        return
    asked = case.asked.datasets
    named = ("training", asked.training, "train"), ("validation", asked.validation, "valid")
    for key, reference, name in named:
        path = case.training.data / f"{name}.jsonl"
        size = path.stat().st_size if path.is_file() else 0
        if reference is None and (size or key == "training"):
            yield Problem(f"datasets.{key}", f"It is not given, but {path.name} would be used.", "Name it.")
        elif reference is not None and (not path.is_file() or files.sha256_file(path) != reference.sha256):
            yield Problem(f"datasets.{key}", f"{path.name} is not what was asked for.", "Build it again.")


def _what_cannot_be_checked_yet(case: Case) -> Iterator[Problem]:
    if case.base is None:
        yield Problem(
            "model.base_model",
            "The base model is not here yet, so method and precision were not held against it.",
            "`sectune models pull` fetches it.",
        )


def _shape_without_adapter(case: Case) -> Iterator[Problem]:
    if case.asked.method.type == "full" and case.asked.method.lora is not None:
        yield Problem("method.lora", "full trains the weights themselves; there is no adapter to shape.")


def _full_in_16_bits(case: Case) -> Iterator[Problem]:
    if case.asked.method.type == "full" and case.base and case.base.precision in ("fp16", "bf16"):
        yield Problem(
            "method.type",
            f"full in {case.base.precision} loses updates that are smaller than the weights' rounding.",
            "An fp32 base model keeps them.",
        )


def _counts(case: Case) -> Iterator[Problem]:
    plan = case.asked.schedule
    if plan.checkpoints == 0:
        yield Problem(
            "schedule.checkpoints", "Without checkpoints a training that is killed begins at the start."
        )
    if plan.evaluations == 0:
        yield Problem(
            "schedule.evaluations",
            "The loss before the first and after the last iteration is measured anyway.",
        )
    if plan.iters is not None and (rest := plan.iters % plan.gradient_accumulation) and plan.iters > rest:
        yield Problem(
            "schedule.gradient_accumulation",
            f"{plan.iters} iterations are no multiple of {plan.gradient_accumulation}: "
            f"the last {rest} change nothing.",
        )


def _scheduler(case: Case) -> Iterator[Problem]:
    scheduler = case.asked.optimizer.scheduler
    flat = scheduler.type in ("constant", "constant_with_warmup")
    if scheduler.cycles != 0.5 and scheduler.type != "cosine":
        yield Problem("optimizer.scheduler.cycles", f"{scheduler.type} has none; it has no effect.")
    if scheduler.min_lr_ratio and flat:
        yield Problem("optimizer.scheduler.min_lr_ratio", f"{scheduler.type} never falls; it has no effect.")
    if scheduler.type == "constant_with_warmup" and not scheduler.warmup_ratio:
        yield Problem("optimizer.scheduler.warmup_ratio", "It is 0: there is no warm-up.")


def _only_memory(case: Case) -> Iterator[Problem]:
    for name in case.asked.optimizations:
        if name in ONLY_MEMORY:
            yield Problem("optimizations", f"{name} is not there; the training needs more memory without it.")


def _nobody_is_told(case: Case) -> Iterator[Problem]:
    hardware, integrations = case.asked.hardware, case.asked.integrations
    if hardware is not None and hardware.accelerator is not None:
        yield Problem(
            "hardware.accelerator",
            f"MLX takes the device it finds; {hardware.accelerator} is not forced on it.",
        )
    if integrations is not None and integrations.wandb is not None:
        for key, value in integrations.wandb.model_dump(exclude_none=True).items():
            yield Problem(f"integrations.wandb.{key}", f"Nothing leaves this machine: {value} is not told.")
    if integrations is not None and integrations.huggingface_repository is not None:
        yield Problem(
            "integrations.huggingface_repository",
            "The training uploads nothing; a run's last step does, where upload.enabled says so.",
        )
    if case.asked.output.suffix is not None:
        yield Problem("output.suffix", "A certified model is named by its content; the suffix is not used.")


def _or(names: tuple[str, ...]) -> str:
    return ", ".join(names)


ERRORS: tuple[Rule, ...] = (
    _parameters,
    _base_model,
    _precision,
    _base_of_the_method,
    _tighter_ranges,
    _updates,
    _two_ways_to_say_it,
    _optimizations,
    _machines,
    _data,
)
WARNINGS: tuple[Rule, ...] = (
    _what_cannot_be_checked_yet,
    _shape_without_adapter,
    _full_in_16_bits,
    _counts,
    _scheduler,
    _only_memory,
    _nobody_is_told,
)
