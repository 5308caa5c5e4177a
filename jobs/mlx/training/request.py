"""What the training child is asked for. Nothing here imports mlx, so that whoever asks may build it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from jobs.children.request import Request

Count = Annotated[int, Meta(ge=1)]


class LoraShape(Request, frozen=True, kw_only=True):
    """The shape of LoRA or DoRA layers, in mlx-lm's words.

    Args:
        rank: Rank of the low-rank matrices.
        scale: alpha / rank.
        dropout: In front of the matrices.
        keys: Names of the layers that get matrices, relative to a block.
    """

    rank: Count
    scale: float
    dropout: float
    keys: tuple[str, ...]


class Schedule(Request, frozen=True, kw_only=True):
    """The learning rate over the updates.

    Args:
        type: How it goes on after the warm-up.
        min_lr_ratio: Where it ends, as a share of its peak.
        warmup_ratio: Share of the updates during which it rises.
        cycles: Full waves of cosine; 0.5 falls once.
    """

    type: Literal["constant", "linear", "cosine", "polynomial"]
    min_lr_ratio: float
    warmup_ratio: float
    cycles: float


class MemoryLimits(Request, frozen=True, kw_only=True):
    """What MLX may use, in GB (10**9 bytes); None leaves its own limit."""

    memory_limit_gb: float | None
    cache_limit_gb: float | None
    wired_limit_gb: float | None


class Launch(Request, frozen=True, kw_only=True):
    """The processes that train together.

    Args:
        hosts: One for each process, this machine first; empty means this process alone.
        backend: How they talk to each other.
        port: First port of the ring.
    """

    hosts: tuple[str, ...]
    backend: Literal["ring", "mpi"]
    port: int


class Parameters(Request, frozen=True, kw_only=True):
    """How is trained. Names and order are those of adapter_config.json and of the manifest.

    Args:
        fine_tune_type: What is trained, in mlx-lm's words.
        iters: Batches of `batch_size` examples.
        learning_rate: Its peak.
        batch_size: Examples per batch, over all processes.
        batch_tokens: Padded tokens per batch instead; None means `batch_size` examples.
        lr_schedule: The learning rate over the updates.
        max_gradient_norm: A gradient is scaled down to this norm; None means never.
        early_stopping_patience: Validations without a lower loss before it stops; None means never.
        keep_best: Whether the adapter of the lowest validation loss is the result.
        memory: Limits.
        optimizer: Its name.
        weight_decay: Decoupled weight decay.
        max_seq_length: Tokens of the longest example there may be.
        mask_prompt: Whether the loss covers the answer only.
        num_layers: Blocks that are trained, from the last; -1 means all.
        grad_accumulation_steps: Batches per update.
        grad_checkpoint: Whether activations are computed again instead of stored.
        steps_per_report: Iterations per report.
        steps_per_eval: Iterations per validation.
        val_batches: Batches per validation; -1 means all.
        save_every: Iterations per checkpoint.
        lora_parameters: The shape of the layers; None for a full training.
    """

    fine_tune_type: Literal["lora", "dora", "full"]
    iters: Count
    learning_rate: float
    batch_size: Count
    batch_tokens: Count | None
    lr_schedule: Schedule
    max_gradient_norm: float | None
    early_stopping_patience: Count | None
    keep_best: bool
    memory: MemoryLimits
    optimizer: Literal["adamw"]
    weight_decay: float
    max_seq_length: Count
    mask_prompt: bool
    num_layers: int
    grad_accumulation_steps: Count
    grad_checkpoint: bool
    steps_per_report: Count
    steps_per_eval: Count
    val_batches: int
    save_every: Count
    lora_parameters: LoraShape | None


class StartAdapter(Request, frozen=True, kw_only=True):
    """The adapter that a training goes on from.

    Args:
        path: Its file.
        sha256: Of the file.
    """

    path: Path
    sha256: str


class TrainingRequest(Request, frozen=True, kw_only=True):
    """One stage's training.

    Args:
        stage: 1 or 2.
        model: The base model's folder.
        data: The folder of train.jsonl and valid.jsonl.
        data_sha256: What is in `data`; a checkpoint of other data is then of other work.
        adapters: Where the adapter folder goes.
        metrics: Where a line per report goes.
        start_from: None begins with a new adapter.
        seed: Of adapter, dropout and order of batches.
        processes: How many train together.
        launch: How they are started.
        params: How is trained.
    """

    stage: Annotated[int, Meta(ge=1, le=2)]
    model: Path
    data: Path
    data_sha256: str | None
    adapters: Path
    metrics: Path
    start_from: StartAdapter | None
    seed: int
    processes: Count
    launch: Launch
    params: Parameters
