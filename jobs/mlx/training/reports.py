"""What a training tells while it runs: metrics.jsonl, the daemon's progress, the run's log."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlx_lm.tuner.callbacks import TrainingCallback

from jobs.children.entry import Assignment
from jobs.fs import files
from jobs.mlx.training.checkpoint import Position


class Diverged(Exception):
    """A loss that is no number."""

    def __init__(self, what: str, loss: float, iteration: int) -> None:
        super().__init__(f"The {what} loss is {loss} at iteration {iteration}.")
        self.iteration = iteration


@dataclass(frozen=True)
class Step:
    """One iteration: its loss, its tokens that carried loss, its seconds (none for one before a resume)."""

    loss: float
    tokens: float
    seconds: float


@dataclass(frozen=True)
class Span:
    """Iterations that were done before (a resumed training), and iterations in all."""

    start: int
    iterations: int


@dataclass(frozen=True)
class ValidLoss:
    """The loss on the validation part after so many iterations."""

    iteration: int
    value: float


class History:
    """What decides how a training goes on, or is told at its end; what came before a resume counts."""

    def __init__(self) -> None:
        self.valid: list[ValidLoss] = []
        self.first_train_loss: float | None = None
        self.final_train_loss: float | None = None
        self.peak_memory_gb: float | None = None

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a line of metrics.jsonl."""
        if (loss := row.get("valid_loss")) is not None:
            self.valid.append(ValidLoss(row["iteration"], loss))
        if (loss := row.get("train_loss")) is not None:
            self.final_train_loss = loss
            if self.first_train_loss is None:
                self.first_train_loss = loss
        if (peak := row.get("peak_memory_gb")) is not None:
            self.peak_memory_gb = max(peak, self.peak_memory_gb or 0.0)

    @property
    def of_trained(self) -> list[ValidLoss]:
        """All but those of the untrained adapter, before the first iteration."""
        return [loss for loss in self.valid if loss.iteration]


class Reports(TrainingCallback):
    """Sends what the trainer measures to where it is read.

    Args:
        assignment: Where progress and log lines go.
        metrics: metrics.jsonl; it is read once, by `rewind`, and only written after that.
        span: Where this training begins and ends.
        every: Iterations per report, counted from the very first, so that a resume changes no report.
    """

    def __init__(self, assignment: Assignment[Any], metrics: Path, span: Span, every: int) -> None:
        self.assignment = assignment
        self.metrics = metrics
        self.iterations = span.iterations
        self.start = span.start
        self.every = every
        self.began = time.monotonic()
        self.window: list[Step] = []
        self.history = History()

    def on_train_loss_report(self, train_info: dict[str, Any]) -> None:
        """Called after every iteration; a report goes out after every `every` of them.

        Raises:
            Diverged: The loss is no number.
        """
        iteration = self.start + train_info["iteration"]
        seconds = 1.0 / train_info["iterations_per_second"]
        loss = _finite("training", train_info["train_loss"], iteration)
        self.window.append(Step(loss, train_info["tokens_per_second"] * seconds, seconds))
        if iteration % self.every and iteration != self.iterations:
            return
        spent = sum(step.seconds for step in self.window)
        self._tell(
            iteration=iteration,
            iterations=self.iterations,
            train_loss=sum(step.loss for step in self.window) / len(self.window),
            learning_rate=train_info["learning_rate"],
            tokens_per_second=sum(step.tokens for step in self.window) / spent if spent else None,
            peak_memory_gb=train_info["peak_memory"],
            eta_seconds=(time.monotonic() - self.began)
            / train_info["iteration"]
            * (self.iterations - iteration),
        )
        self.window = []

    def validated(self, iteration: int, loss: float) -> None:
        """The loss on the validation part after `iteration` iterations.

        Raises:
            Diverged: The loss is no number.
        """
        self._tell(
            iteration=iteration,
            iterations=self.iterations,
            valid_loss=_finite("validation", loss, iteration),
        )

    def rewind(self, position: Position) -> None:
        """Forget what was told of iterations that will be done again; know again what was not told yet."""
        self.window = [Step(loss, 0.0, 0.0) for loss in position.unreported]
        rows = list(files.read_jsonl(self.metrics)) if self.metrics.exists() else []
        # Without a checkpoint even iteration 0 is validated again.
        kept = [row for row in rows if 0 < position.step >= row["iteration"]]
        for cut in files.temporaries(self.metrics.parent, self.metrics.name):  # a killed trainer's
            cut.unlink()
        files.write_jsonl(self.metrics, kept)
        self.history = History()
        for row in kept:
            self.history.add(row)
        if position.step:
            mark = {"time": time.time(), "iteration": position.step, "resumed": True}
            files.append_jsonl(self.metrics, mark)

    def _tell(self, **facts: Any) -> None:
        files.append_jsonl(self.metrics, {"time": time.time(), **facts})
        self.history.add(facts)
        self.assignment.report(phase="training", **facts)
        self.assignment.say("training", **facts)


def _finite(what: str, loss: float, iteration: int) -> float:
    if not math.isfinite(loss):
        raise Diverged(what, loss, iteration)
    return loss
