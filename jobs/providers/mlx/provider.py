"""Training with MLX in a child process: a job configuration in mlx-lm's words, and the comparison after."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.job import ConfigurationError, JobConfiguration, LoraShape, read
from jobs.children import life, parent
from jobs.children.task import Task
from jobs.clock import now
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.providers.mlx import checks, parameters, status
from jobs.providers.provider import (
    Capabilities,
    Handle,
    JobStatus,
    Limit,
    Training,
    Verdict,
    Workplace,
)
from jobs.runs.validation import check_adapters

METHODS = {
    "lora": "low-rank matrices beside the weights; the base model as it is, quantised or not",
    "qlora": "lora, and the base model must be quantised",
    "dora": "lora with a learned magnitude for each row; the base model as it is, quantised or not",
    "full": "the weights themselves: the last num_layers blocks, or everything for -1; not quantised",
}
FINE_TUNE_TYPE = {"lora": "lora", "qlora": "lora", "dora": "dora", "full": "full"}  # mlx-lm's words
SCHEDULERS = {
    "constant": "constant",
    "constant_with_warmup": "constant",  # ours warms up wherever a warm-up is asked for
    "linear": "linear",
    "cosine": "cosine",
    "polynomial": "polynomial",
}


class Mlx:
    """The provider that this machine is."""

    name = "mlx"
    module = "jobs.mlx.training.train"

    def capabilities(self) -> Capabilities:
        """What MLX can do here."""
        return Capabilities(
            provider=self.name,
            description="This machine, with mlx-lm in a child process; exact resume, one training at a time.",
            methods=METHODS,
            optimizers=("adamw",),
            schedulers=tuple(SCHEDULERS),
            precisions=checks.PRECISIONS,
            optimizations=checks.HONOURED,
            always=checks.ALWAYS,
            limits=(
                Limit("method.lora.dropout", "below 1", "at 1 nothing reaches the adapter"),
                Limit("optimizer.learning_rate", "above 0", "at 0 nothing is learned"),
                Limit("hardware.machines", "as in metadata.hosts", "a job is given the machines it names"),
            ),
            parameters=parameters.listed(),
        )

    def validate(
        self, configuration: JobConfiguration | Mapping[str, Any], training: Training | None = None
    ) -> Verdict:
        """Shape, then ranges, then what MLX can do with it on this base model and this data."""
        if not isinstance(configuration, JobConfiguration):
            try:
                configuration = read(configuration)
            except ConfigurationError as error:
                return Verdict(errors=tuple(error.problems))
        return checks.verdict(configuration, training)

    def translate(self, configuration: JobConfiguration, training: Training) -> dict[str, Any]:
        """The training child's request.

        mlx-lm's LoRA `scale` is alpha / rank, and its `keys` are relative to a block.
        """
        own = parameters.parameters_of(configuration)
        return {
            "stage": training.stage,
            "model": str(training.base_model),
            "data": str(training.data),
            "data_sha256": training.data_sha256,
            "adapters": str(training.adapters),
            "metrics": str(training.metrics),
            "resume_adapter_file": str(training.start_from[0]) if training.start_from else None,
            "resume_sha256": training.start_from[1] if training.start_from else None,
            "seed": own.seed,
            "processes": len(own.hosts) or 1,
            "launch": {"hosts": list(own.hosts), "backend": own.launch_backend, "port": own.launch_port},
            "params": _params(configuration, training),
        }

    def start(self, configuration: JobConfiguration, training: Training, workplace: Workplace) -> Handle:
        """Start the training child, or find the one that does this job already.

        Raises:
            OperatorError: The job is refused.
            DeviceBusy: Another process holds the device.
        """
        if errors := self.validate(configuration, training).errors:
            raise OperatorError(f"MLX cannot train this: {' '.join(map(str, errors))}")
        task = Task(
            module=self.module,
            work=workplace.work,
            payload=self.translate(configuration, training),
            log=workplace.log,
            facts=workplace.facts,
            device_lock=workplace.device_lock,
            preload=workplace.preload,
        )
        handle = Handle(self.name, task.key, task.work).save()
        parent.start(task)
        return handle

    def status(self, handle: Handle) -> JobStatus:
        """Where a training is, from what its child left in its folder."""
        return status.status(handle)

    def cancel(self, handle: Handle) -> bool:
        """End a training behind a checkpoint; False if none runs."""
        if not life.works_on(handle.work, handle.id):
            return False
        Handle(handle.provider, handle.id, handle.work, cancelled_at=now()).save()
        return parent.end(handle.work)

    def mismatches(self, request: Mapping[str, Any], adapters: Path) -> list[str]:
        """What differs between the request and the written adapter folder."""
        expected = {**request["params"], "seed": request["seed"], "processes": request["processes"]}
        return [
            f"{check.name}: {check.detail}"
            for check in check_adapters(adapters, expected)
            if not check.passed
        ]


def _params(asked: JobConfiguration, training: Training) -> dict[str, Any]:
    own, plan, optimizer = parameters.parameters_of(asked), asked.schedule, asked.optimizer
    iters = _iterations(asked, training)
    return {
        "fine_tune_type": FINE_TUNE_TYPE[asked.method.type],
        "iters": iters,
        "learning_rate": optimizer.learning_rate,
        "batch_size": plan.batch_size,
        "batch_tokens": own.batch_tokens,
        "lr_schedule": {
            **optimizer.scheduler.model_dump(),
            "type": SCHEDULERS[optimizer.scheduler.type],
        },
        "max_gradient_norm": optimizer.max_gradient_norm or None,
        "early_stopping_patience": own.early_stopping_patience,
        "keep_best": own.keep_best,
        "memory": own.memory,
        "optimizer": "adamw",
        "weight_decay": optimizer.weight_decay,
        "max_seq_length": plan.sequence_length,
        "mask_prompt": plan.train_on_inputs != "enabled",
        "num_layers": own.num_layers,
        "grad_accumulation_steps": plan.gradient_accumulation,
        "grad_checkpoint": "gradient_checkpointing" in asked.optimizations,
        "steps_per_report": own.report_every,
        "steps_per_eval": _every(plan.evaluations, iters, own.evaluate_every),
        "val_batches": own.valid_batches,
        "save_every": _every(plan.checkpoints, iters, own.checkpoint_every),
        "lora_parameters": _lora_parameters(asked),
    }


def _lora_parameters(asked: JobConfiguration) -> dict[str, Any] | None:
    if asked.method.type == "full":
        return None
    lora = asked.method.lora or LoraShape()
    return {
        "rank": lora.rank,
        "scale": lora.alpha / lora.rank,
        "dropout": lora.dropout,
        "keys": list(lora.trainable_modules),
    }


def _iterations(asked: JobConfiguration, training: Training) -> int:
    plan = asked.schedule
    if plan.iters is not None:
        return plan.iters
    examples = sum(1 for _ in files.read_jsonl(training.data / "train.jsonl"))
    return max(1, math.ceil((plan.epochs or 0) * examples / plan.batch_size))


def _every(count: int | None, iters: int, otherwise: int) -> int:
    """Iterations between `count` of something, spread over all; 0 of them never come."""
    if count is None:
        return otherwise
    return math.ceil(iters / count) if count else iters + 1
