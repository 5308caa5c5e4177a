"""The training child: drives mlx_lm's own trainer with our batches, our loss and our reports.

Request (all sizes in tokens, rates in 1): see `jobs.providers.mlx.translate`. The adapter is written
beside its place and renamed into it when training is complete.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.optimizers
from mlx_lm import load as load_model
from mlx_lm.tuner.callbacks import TrainingCallback
from mlx_lm.tuner.trainer import TrainingArgs, train

from jobs import child, files
from jobs.child import Assignment
from jobs.errors import OperatorError
from jobs.mlx import adapter, checkpoint
from jobs.mlx.batches import Batches, Examples, answer_loss


class Reports(TrainingCallback):
    """Sends what the trainer measures to metrics.jsonl and to the daemon."""

    def __init__(self, assignment: Assignment, metrics: Path, iters: int, start: int) -> None:
        self.assignment = assignment
        self.metrics = metrics
        self.iters = iters
        self.start = start
        self.began = time.monotonic()
        self.losses: list[tuple[int, float]] = []
        self.valid_losses: list[tuple[int, float]] = []

    def on_train_loss_report(self, train_info: dict[str, Any]) -> None:
        """A loss, a speed and a memory peak, every `report_every` iterations."""
        iteration = self.start + train_info["iteration"]
        loss = _finite(train_info["train_loss"], iteration, "training")
        done = train_info["iteration"]
        eta = (time.monotonic() - self.began) / done * (self.iters - iteration)
        self.losses.append((iteration, loss))
        self._tell(
            iteration=iteration,
            iterations=self.iters,
            train_loss=loss,
            learning_rate=train_info["learning_rate"],
            tokens_per_second=train_info["tokens_per_second"],
            peak_memory_gb=train_info["peak_memory"],
            eta_seconds=eta,
        )

    def on_val_loss_report(self, val_info: dict[str, Any]) -> None:
        """The loss on the validation part."""
        iteration = self.start + val_info["iteration"]
        loss = _finite(val_info["val_loss"], iteration, "validation")
        self.valid_losses.append((iteration, loss))
        self._tell(iteration=iteration, iterations=self.iters, valid_loss=loss)

    def _tell(self, **facts: Any) -> None:
        files.append_jsonl(self.metrics, {"time": time.time(), **facts})
        self.assignment.report(phase="training", **facts)
        self.assignment.say("training", **facts)


def _finite(loss: float, iteration: int, what: str) -> float:
    if not math.isfinite(loss):
        raise OperatorError(
            f"The {what} loss is {loss} at iteration {iteration}.",
            "Lower the stage's learning_rate, then retry the run.",
        )
    return loss


@dataclass(frozen=True)
class Session:
    """What one training works with."""

    assignment: Assignment
    model: Any
    optimizer: Any
    parts: dict[str, Examples]
    reports: Reports

    @property
    def request(self) -> dict[str, Any]:
        """What was asked for."""
        return self.assignment.payload

    @property
    def draft(self) -> Path:
        """Where the adapter folder is written until it is complete."""
        return self.assignment.work / "adapters"


def run(assignment: Assignment) -> dict[str, Any]:
    """Train one stage.

    Returns:
        What was really used, and the losses.
    """
    session = _open(assignment)
    files.private_folder(session.draft)
    if session.reports.start < assignment.payload["params"]["iters"]:
        _train(session)
    adapter.save_weights(session.draft / "adapters.safetensors", adapter.weights(session.model))
    metadata = _describe(session)
    files.write_json(session.draft / "adapter_config.json", _settings_used(session))
    files.write_json(session.draft / "training_metadata.json", metadata)
    files.replace_folder(session.draft, Path(assignment.payload["adapters"]))
    return metadata


def _open(assignment: Assignment) -> Session:
    request = assignment.payload
    params = request["params"]
    mx.random.seed(request["seed"])
    model, tokenizer = load_model(request["model"])
    layers = adapter.add_lora(model, params["num_layers"], params["lora_parameters"])
    if request["resume_adapter_file"]:
        adapter.load_weights(model, Path(request["resume_adapter_file"]))
    optimizer = mlx.optimizers.AdamW(params["learning_rate"], weight_decay=params["weight_decay"])
    metrics = Path(request["metrics"])
    start = _take_up(assignment, model, optimizer, metrics)
    parts = {
        name: Examples(
            Path(request["data"]) / f"{name}.jsonl",
            tokenizer,
            params["max_seq_length"],
            params["mask_prompt"],
        )
        for name in ("train", "valid")
    }
    assignment.say("training begins", lora_layers=len(layers), start=start, examples=len(parts["train"]))
    return Session(assignment, model, optimizer, parts, Reports(assignment, metrics, params["iters"], start))


def _take_up(assignment: Assignment, model: Any, optimizer: Any, metrics: Path) -> int:
    path = assignment.work / checkpoint.NAME
    if not path.exists():
        metrics.unlink(missing_ok=True)
        return 0
    step = checkpoint.load(path, model, optimizer)
    # Lines of iterations that will be trained again would tell the same iteration twice.
    kept = [row for row in files.read_jsonl(metrics) if row["iteration"] <= step] if metrics.exists() else []
    files.write_jsonl(metrics, kept)
    return step


def _train(session: Session) -> None:
    params = session.request["params"]

    def after_step(step: int) -> None:
        # Between two updates the accumulated gradient lives in the trainer alone; only after an update
        # is the state complete.
        if step % params["save_every"] == 0 and step % params["grad_accumulation_steps"] == 0:
            checkpoint.save(session.assignment.work / checkpoint.NAME, session.model, session.optimizer, step)
            numbered = session.draft / f"{step:07d}_adapters.safetensors"
            adapter.save_weights(numbered, adapter.weights(session.model))

    train(
        model=session.model,
        optimizer=session.optimizer,
        train_dataset=session.parts["train"],
        val_dataset=session.parts["valid"] if len(session.parts["valid"]) else None,
        args=_arguments(params, session.draft / "adapters.safetensors", session.reports.start),
        loss=answer_loss,
        iterate_batches=Batches(session.request["seed"], session.reports.start, after_step),
        training_callback=session.reports,
    )


def _arguments(params: dict[str, Any], adapter_file: Path, start: int) -> TrainingArgs:
    remaining = params["iters"] - start
    return TrainingArgs(
        batch_size=params["batch_size"],
        iters=remaining,
        val_batches=params["val_batches"],
        steps_per_report=params["steps_per_report"],
        steps_per_eval=params["steps_per_eval"],
        steps_per_save=remaining + 1,  # its numbers would start again after a resume: we save ourselves
        max_seq_length=params["max_seq_length"],
        adapter_file=str(adapter_file),
        grad_checkpoint=params["grad_checkpoint"],
        grad_accumulation_steps=params["grad_accumulation_steps"],
    )


def _settings_used(session: Session) -> dict[str, Any]:
    """adapter_config.json: what was asked for, with all that can be read from the live objects read so."""
    request = session.request
    return {
        "fine_tune_type": "lora",
        "model": Path(request["model"]).name,
        "seed": request["seed"],
        **request["params"],
        "lora_parameters": adapter.lora_as_built(session.model),
        "learning_rate": float(f"{session.optimizer.learning_rate.item():.6g}"),
        "weight_decay": session.optimizer.weight_decay,
        "mask_prompt": session.parts["train"].mask_prompt,
    }


def _describe(session: Session) -> dict[str, Any]:
    request = session.request
    params = request["params"]
    rows = list(files.read_jsonl(session.reports.metrics))
    batches = -(-len(session.parts["train"]) // params["batch_size"])
    return {
        "stage": request["stage"],
        "base_model": Path(request["model"]).name,
        "resumed_from": request["resume_sha256"],
        "iterations": params["iters"],
        "examples": {name: len(part) for name, part in session.parts.items()},
        "passes_over_data": params["iters"] / batches,
        "lora_layers": len(adapter.lora_layers(session.model)),
        "trainable_parameters": sum(value.size for value in adapter.weights(session.model).values()),
        "first_train_loss": _first(rows, "train_loss"),
        "final_train_loss": _first(rows[::-1], "train_loss"),
        "final_valid_loss": _first(rows[::-1], "valid_loss"),
        "peak_memory_gb": max((row.get("peak_memory_gb") or 0.0 for row in rows), default=0.0) or None,
        "device": str(mx.default_device()),
    }


def _first(rows: list[dict[str, Any]], key: str) -> float | None:
    return next((row[key] for row in rows if row.get(key) is not None), None)


if __name__ == "__main__":
    child.main(run)
