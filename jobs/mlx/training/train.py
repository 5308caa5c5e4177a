"""The training child: drives mlx_lm's own trainer with our batches, our loss and our reports.

The adapter is written beside its place and renamed
into it when training is complete. Validation and checkpoints happen in the batch iterator, at absolute
iterations, so that an interrupted training repeats exactly those of an undisturbed one. In a group of
processes (`jobs.mlx.training.distributed.launch`) all of them come by here, and the first alone writes.
"""

from __future__ import annotations

import math
import signal
from types import FrameType
from typing import Any

import mlx.core as mx
from mlx_lm.tuner.trainer import TrainingArgs, evaluate, train

from jobs.children import entry
from jobs.children.entry import Assignment, TaskStopped
from jobs.children.request import to_json
from jobs.errors import OperatorError
from jobs.fs import files
from jobs.mlx.training import adapter, checkpoint
from jobs.mlx.training.batches import Batches
from jobs.mlx.training.distributed import launch
from jobs.mlx.training.distributed.group import ALONE, Group
from jobs.mlx.training.reports import Diverged
from jobs.mlx.training.request import TrainingRequest
from jobs.mlx.training.session import BACKOFF, Session, open_session, read_lr_backoff

BEST = "best.safetensors"


class StopEarly(Exception):
    """The validation loss has not fallen for long enough."""


def run(assignment: Assignment[TrainingRequest]) -> dict[str, Any]:
    """Train one stage, in this process or in a group of several.

    Returns:
        What was really used, and the losses.
    """
    if assignment.payload.processes > 1:
        return launch.run(assignment)
    return train_stage(assignment, ALONE)


def train_stage(assignment: Assignment[TrainingRequest], group: Group) -> dict[str, Any]:
    """Train one stage as one of a group; the result is the first process's, the others' is empty."""
    try:
        return _run(assignment, group)
    except Diverged as diverged:  # in all processes at the same time: each has the whole batch's loss
        if group.leads:
            _back_off(assignment, diverged)
    group.wait()
    mx.clear_cache()  # outside of the handler, so that the first session's arrays are gone by now
    return _run(assignment, group)


def _back_off(assignment: Assignment[Any], diverged: Diverged) -> None:
    """Once: go back to the last checkpoint with half the learning rate."""
    if read_lr_backoff(assignment.work) < 1.0:
        raise OperatorError(
            f"{diverged} This was after the learning rate had been halved already.",
            "Lower the stage's learning_rate, or set training.max_gradient_norm; then retry the run.",
        )
    files.write_json(
        assignment.work / BACKOFF, {"factor": 0.5, "iteration": diverged.iteration, "why": str(diverged)}
    )
    assignment.say("learning rate halved", level="warning", reason=str(diverged))


def _run(assignment: Assignment[TrainingRequest], group: Group) -> dict[str, Any]:
    session = open_session(assignment, group)
    if group.leads:
        _reopen_staging(session)
    stopped_early = False
    if session.reports.start < session.iterations:
        try:
            _train(session)
            _validate(session, session.iterations)
        except StopEarly:
            stopped_early = True
    checkpoint.gather_state(session.model, group)
    return _finish(session, stopped_early) if group.leads else {}


def _reopen_staging(session: Session) -> None:
    """The folder to write into; a killed life may have put it in its place already, with its snapshots."""
    published = session.request.adapters
    if session.reports.start and published.exists() and not session.staging.exists():
        published.rename(session.staging)
    files.private_folder(session.staging)


class StopSignal:
    """Remembers that SIGTERM came: a training ends at its next update, behind a checkpoint.

    In a group the signal came to the training child, which left a file for the first process.
    """

    def __init__(self, session: Session) -> None:
        self._came = False
        self._file = session.assignment.work / launch.STOP
        self._group = session.group
        if self._group.size == 1:
            signal.signal(signal.SIGTERM, self._remember)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._came = True

    @property
    def asked(self) -> bool:
        """Whether it is to end now; every process of a group gets the same answer."""
        return self._came if self._group.size == 1 else self._group.any(self._file.exists())


def _train(session: Session) -> None:
    stop = StopSignal(session)

    def after_step(step: int) -> None:
        if step % session.params.steps_per_eval == 0:
            _validate(session, step)
            _stop_if_it_no_longer_helps(session)
        # Between two updates the accumulated gradient lives in the trainer alone; only after an update
        # is the state complete.
        if step % session.fitting.accumulation:
            return
        stopping = stop.asked
        if stopping or step % session.params.save_every == 0:
            _checkpoint(session, step)
        if stopping:
            session.assignment.say("training stops at a checkpoint", iteration=step)
            raise TaskStopped

    if session.reports.start == 0:
        _validate(session, 0)
    train(
        model=session.model,
        optimizer=session.optimizer,
        train_dataset=session.train,
        val_dataset=None,
        args=_arguments(session),
        loss=session.loss,
        iterate_batches=Batches(
            session.fitting.size, session.request.seed, session.reports.start, after_step, session.group
        ),
        training_callback=session.reports,
    )


def _arguments(session: Session) -> TrainingArgs:
    params, remaining = session.params, session.iterations - session.reports.start
    return TrainingArgs(
        iters=remaining,
        steps_per_report=1,  # Reports counts for itself, from the very first iteration
        steps_per_save=remaining + 1,  # its numbers would start again after a resume: we save ourselves
        max_seq_length=params.max_seq_length,
        adapter_file=str(session.staging / "adapters.safetensors"),
        grad_checkpoint=params.grad_checkpoint,
        grad_accumulation_steps=session.fitting.accumulation,
    )


def _validate(session: Session, iteration: int) -> None:
    if not len(session.valid):
        return
    loss = evaluate(
        model=session.model,
        dataset=session.valid,
        batch_size=1,
        num_batches=session.params.val_batches,
        loss=session.loss,
        iterate_batches=Batches(session.fitting.size, 0, 0, lambda step: None, session.group),
    )
    session.model.train()
    earlier = [each.value for each in session.reports.history.of_trained]
    session.reports.validated(iteration, loss)
    if not session.group.leads:
        return
    if iteration and loss < min(earlier, default=math.inf):
        arrays = adapter.weights(session.model)
        adapter.save_weights(session.assignment.work / BEST, arrays, {"iteration": str(iteration)})


def _stop_if_it_no_longer_helps(session: Session) -> None:
    patience = session.params.early_stopping_patience
    losses = [each.value for each in session.reports.history.of_trained]
    if patience is not None and len(losses) - 1 - losses.index(min(losses)) >= patience:
        raise StopEarly  # in all processes of a group: each has the same losses


def _checkpoint(session: Session, step: int) -> None:
    state = checkpoint.gather_state(session.model, session.group)
    if not session.group.leads:
        return
    # The snapshot first: a training that goes on from the checkpoint does not come by here again. Of a full
    # training each would be as large as the model, and by default there are 50 of them.
    if session.params.fine_tune_type != "full":
        numbered = session.staging / f"{step:07d}_adapters.safetensors"
        adapter.save_weights(numbered, adapter.weights(session.model))
    position = checkpoint.Position(step, tuple(seen.loss for seen in session.reports.window))
    path = session.assignment.work / checkpoint.NAME
    checkpoint.save(path, checkpoint.Trained(session.model, session.optimizer), position, state)


def _finish(session: Session, stopped_early: bool) -> dict[str, Any]:
    chosen = _chosen_iteration(session, stopped_early)
    adapter.save_weights(session.staging / "adapters.safetensors", adapter.weights(session.model))
    metadata = {**_describe(session), "stopped_early": stopped_early, "chosen_iteration": chosen}
    files.write_json(session.staging / "adapter_config.json", _settings_used(session))
    files.write_json(session.staging / "training_metadata.json", metadata)
    files.replace_folder(session.staging, session.request.adapters)
    return metadata


def _chosen_iteration(session: Session, stopped_early: bool) -> int:
    """Put the best adapter by validation loss into the model, if that was asked for; say which it is."""
    best = session.assignment.work / BEST
    last = session.reports.history.valid[-1].iteration if stopped_early else session.iterations
    if not session.params.keep_best or not best.exists():
        return last
    arrays, metadata = mx.load(str(best), return_metadata=True)
    session.model.load_weights(list(arrays.items()), strict=False)
    return int(metadata["iteration"])


def _settings_used(session: Session) -> dict[str, Any]:
    """adapter_config.json: what was asked for, with all that can be read from the live objects read so."""
    request, adamw, schedule = session.request, session.optimizer, session.params.lr_schedule
    lora = adapter.lora_as_built(session.model)
    used = {
        "model": request.model.name,
        "seed": request.seed,
        "processes": session.group.size,
        **to_json(session.params),
        "fine_tune_type": adapter.fine_tune_type(session.model),
        "lora_parameters": to_json(lora) if lora is not None else None,
        "weight_decay": adamw.weight_decay,
        "max_gradient_norm": getattr(adamw, "max_norm", None),
    }
    if schedule.type == "constant" and not schedule.warmup_ratio:
        used["learning_rate"] = float(f"{adamw.learning_rate.item() / session.lr_backoff:.6g}")
    return used


def _describe(session: Session) -> dict[str, Any]:
    request, history = session.request, session.reports.history
    valid = [each.value for each in history.valid]
    work = session.assignment.work / BACKOFF
    return {
        "stage": request.stage,
        "base_model": request.model.name,
        "resumed_from": request.start_from.sha256 if request.start_from else None,
        "iterations": session.iterations,
        "batch": {"examples": session.fitting.size.examples, "tokens": session.fitting.size.tokens},
        "grad_accumulation_steps": session.fitting.accumulation,
        "memory_fallbacks": session.fitting.fallbacks,
        "setback": files.read_json(work) if work.exists() else None,
        "output_layer_at_loss_positions_only": session.loss.sparse,
        "examples": {"train": len(session.train), "valid": len(session.valid)},
        "answer_tokens": session.train.answer_tokens,
        "passes_over_data": session.params.iters * session.params.batch_size / len(session.train),
        "lora_layers": len(adapter.lora_layers(session.model)),
        "trainable_parameters": sum(value.size for value in adapter.weights(session.model).values()),
        "first_train_loss": history.first_train_loss,
        "final_train_loss": history.final_train_loss,
        "first_valid_loss": valid[0] if valid else None,
        "final_valid_loss": valid[-1] if valid else None,
        "best_valid_loss": min((each.value for each in history.of_trained), default=None),
        "peak_memory_gb": history.peak_memory_gb,
        "device": str(mx.default_device()),
    }


if __name__ == "__main__":
    entry.main(run, TrainingRequest)
