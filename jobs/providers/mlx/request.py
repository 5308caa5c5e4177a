"""A job configuration as the training child's request, and what identifies the result of that."""

from __future__ import annotations

import math
from importlib import metadata
from pathlib import Path
from typing import Literal

import jobs
from config.job import JobConfiguration, LoraShape
from jobs.children.request import to_json
from jobs.fs import files
from jobs.mlx.training import request as trainer
from jobs.mlx.training.request import TrainingRequest
from jobs.providers.mlx import parameters
from jobs.providers.mlx.parameters import MlxParameters
from jobs.providers.provider import Training
from jobs.runs.validation import check_adapters

MODULE = "jobs.mlx.training.train"
# All that shapes an adapter, and nothing else: by contract the code there imports nothing else of jobs.mlx.
# What it has from jobs.children and jobs.fs brings its request and takes its files: no number depends on it.
CODE = Path(jobs.__file__).parent / "mlx" / "training"
LIBRARIES = ("mlx", "mlx-lm")
PLACES = ("model", "data", "adapters", "metrics")  # where things are, not what they are
FINE_TUNE_TYPE: dict[str, Literal["lora", "dora", "full"]] = {
    "lora": "lora",
    "qlora": "lora",
    "dora": "dora",
    "full": "full",
}  # mlx-lm's words
SCHEDULERS: dict[str, Literal["constant", "linear", "cosine", "polynomial"]] = {
    "constant": "constant",
    "constant_with_warmup": "constant",  # ours warms up wherever a warm-up is asked for
    "linear": "linear",
    "cosine": "cosine",
    "polynomial": "polynomial",
}


def training_request(configuration: JobConfiguration, training: Training) -> TrainingRequest:
    """What the training child is asked for.

    mlx-lm's LoRA `scale` is alpha / rank, and its `keys` are relative to a block.
    """
    own, start = parameters.parameters_of(configuration), training.start_from
    return TrainingRequest(
        stage=training.stage,
        model=training.base_model,
        data=training.data,
        data_sha256=training.data_sha256,
        adapters=training.adapters,
        metrics=training.metrics,
        start_from=trainer.StartAdapter(path=start.path, sha256=start.sha256) if start else None,
        seed=own.seed,
        processes=len(own.hosts) or 1,
        launch=trainer.Launch(hosts=own.hosts, backend=own.launch_backend, port=own.launch_port),
        params=_params(configuration, training, own),
    )


def fingerprint(request: TrainingRequest) -> str:
    """Identifies what a training comes out as, as far as this side decides it.

    Wherever its files lie, and however its processes are started (how many share a batch is in `processes`).
    """
    asked = to_json(request)
    if request.start_from is not None:
        asked["start_from"] = request.start_from.sha256
    for name in (*PLACES, "launch"):
        del asked[name]
    return files.sha256_json(
        {
            "request": asked,
            "code": files.sha256_files(CODE, CODE.rglob("*.py")),
            "libraries": [metadata.version(name) for name in LIBRARIES],
        }
    )


def differences(request: TrainingRequest) -> list[str]:
    """What differs between a request and the adapter folder that came of it; empty if nothing does."""
    expected = {**to_json(request.params), "seed": request.seed, "processes": request.processes}
    checks = check_adapters(request.adapters, expected)
    return [f"{check.name}: {check.detail}" for check in checks if not check.passed]


def _params(asked: JobConfiguration, training: Training, own: MlxParameters) -> trainer.Parameters:
    plan, optimizer, iters = asked.schedule, asked.optimizer, _iterations(asked, training)
    return trainer.Parameters(
        fine_tune_type=FINE_TUNE_TYPE[asked.method.type],
        iters=iters,
        learning_rate=optimizer.learning_rate,
        batch_size=plan.batch_size,
        batch_tokens=own.batch_tokens,
        lr_schedule=_schedule(asked),
        max_gradient_norm=optimizer.max_gradient_norm or None,
        early_stopping_patience=own.early_stopping_patience,
        keep_best=own.keep_best,
        memory=_memory(own),
        optimizer="adamw",
        weight_decay=optimizer.weight_decay,
        max_seq_length=plan.sequence_length,
        mask_prompt=plan.train_on_inputs != "enabled",
        num_layers=own.num_layers,
        grad_accumulation_steps=plan.gradient_accumulation,
        grad_checkpoint="gradient_checkpointing" in asked.optimizations,
        steps_per_report=own.report_every,
        steps_per_eval=_every(plan.evaluations, iters, own.evaluate_every),
        val_batches=own.valid_batches,
        save_every=_every(plan.checkpoints, iters, own.checkpoint_every),
        lora_parameters=_lora(asked),
    )


def _schedule(asked: JobConfiguration) -> trainer.Schedule:
    chosen = asked.optimizer.scheduler
    return trainer.Schedule(
        type=SCHEDULERS[chosen.type],
        min_lr_ratio=chosen.min_lr_ratio,
        warmup_ratio=chosen.warmup_ratio,
        cycles=chosen.cycles,
    )


def _memory(own: MlxParameters) -> trainer.MemoryLimits:
    return trainer.MemoryLimits(
        memory_limit_gb=own.memory_limit_gb,
        cache_limit_gb=own.cache_limit_gb,
        wired_limit_gb=own.wired_limit_gb,
    )


def _lora(asked: JobConfiguration) -> trainer.LoraShape | None:
    if asked.method.type == "full":
        return None
    lora = asked.method.lora or LoraShape()
    return trainer.LoraShape(
        rank=lora.rank,
        scale=lora.alpha / lora.rank,
        dropout=lora.dropout,
        keys=lora.trainable_modules,
    )


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
