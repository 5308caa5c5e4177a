"""One training's working state, opened from the request: model, LoRA, optimizer, data, where to go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx_lm import load as load_model

from jobs.children.entry import Assignment
from jobs.fs import files
from jobs.mlx.training import adapter, checkpoint, memory, optimizer
from jobs.mlx.training.batches import Size, plan
from jobs.mlx.training.distributed.group import Group
from jobs.mlx.training.examples import Examples, open_examples
from jobs.mlx.training.loss import AnswerLoss, Objective
from jobs.mlx.training.reports import Reports, Span
from jobs.mlx.training.request import Parameters, TrainingRequest

BACKOFF = "setback.json"  # its name, and its key in training_metadata.json, are older than this word


@dataclass(frozen=True)
class Session:
    """What one training works with.

    `iterations` keeps the number of example passes that `iters` x `batch_size` mean, when a token
    budget puts more examples into a batch.
    """

    assignment: Assignment[TrainingRequest]
    model: Any
    loss: AnswerLoss
    optimizer: Any
    train: Examples
    valid: Examples
    fitting: memory.Fitting
    iterations: int
    reports: Reports
    lr_backoff: float
    group: Group

    @property
    def request(self) -> TrainingRequest:
        """What was asked for."""
        return self.assignment.payload

    @property
    def params(self) -> Parameters:
        """The training parameters that were asked for."""
        return self.request.params

    @property
    def staging(self) -> Path:
        """Where the adapter folder is written until it is complete."""
        return self.assignment.work / "adapters"


def open_session(assignment: Assignment[TrainingRequest], group: Group) -> Session:
    """Load everything, find the batch size that fits, and resume the last checkpoint if there is one."""
    common = assignment.work if group.leads else assignment.work.parent  # where the first process writes
    request, params = assignment.payload, assignment.payload.params
    memory.set_limits(params.memory)
    mx.random.seed(request.seed)
    model, tokenizer = load_model(str(request.model))
    layers = adapter.prepare(model, params)
    if request.start_from is not None:
        adapter.load_weights(model, request.start_from.path)
    if not group.leads:  # the same start of the adapter, but a dropout of its own
        mx.random.seed((group.rank << 32) | request.seed)
    loss = AnswerLoss(model)
    train, valid = (_examples(assignment, tokenizer, name) for name in ("train", "valid"))
    fitting = memory.fit(
        Size(params.batch_size, params.batch_tokens),
        params.grad_accumulation_steps,
        lambda size: memory.largest_batch_fits(Objective(model, loss), train, size, group),
    )
    iterations = iterations_for(params, train.lengths.tolist(), fitting)
    lr_backoff = read_lr_backoff(common)
    adamw = optimizer.build(params, iterations, fitting.accumulation, lr_backoff)
    position = _resume(common, checkpoint.Trained(model, adamw), group)
    start = position.step
    reports = Reports(assignment, request.metrics, Span(start, iterations), params.steps_per_report)
    reports.rewind(position)
    assignment.say(
        "training begins", lora_layers=len(layers), start=start, iterations=iterations, examples=len(train)
    )
    return Session(
        assignment, model, loss, adamw, train, valid, fitting, iterations, reports, lr_backoff, group
    )


def _examples(assignment: Assignment[TrainingRequest], tokenizer: Any, name: str) -> Examples:
    request = assignment.payload
    return open_examples(
        request.data / f"{name}.jsonl",
        tokenizer,
        assignment.work / "tokens",
        request.params.max_seq_length,
        request.params.mask_prompt,
    )


def iterations_for(params: Parameters, lengths: list[int], fitting: memory.Fitting) -> int:
    """Batches that make as many example passes as were asked for."""
    if params.batch_tokens is None and fitting.fallbacks == 0:
        return params.iters
    passes = params.iters * params.batch_size
    return max(1, round(passes * len(plan(lengths, fitting.size)) / len(lengths)))


def read_lr_backoff(work: Path) -> float:
    """What the learning rate is multiplied with after the loss had become no number."""
    path = work / BACKOFF
    return float(files.read_json(path)["factor"]) if path.exists() else 1.0


def _resume(work: Path, trained: checkpoint.Trained, group: Group) -> checkpoint.Position:
    path = work / checkpoint.NAME
    return checkpoint.load(path, trained, group) if path.exists() else checkpoint.Position(0)
