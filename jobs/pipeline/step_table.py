"""The steps of a run, in order: a row each. A new step is a file in `steps/` and a row here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from jobs.pipeline import disk_budget
from jobs.pipeline.artifacts import (
    BASE_MODEL,
    CERTIFIED_MODEL,
    FINAL_MODEL,
    FINDINGS,
    PUBLIC_DATA,
    REPORTS,
    RETENTION,
    SUMMARY,
    Artifact,
    adapters,
    evaluation,
    training_data,
)
from jobs.pipeline.context import Job
from jobs.pipeline.disk_budget import Estimate
from jobs.pipeline.steps import certify, dataset, evaluate, fuse, parse, retention, train, upload

StepFunction = Callable[[Job], Sequence[Path]]


@dataclass(frozen=True)
class Row:
    """One step.

    Args:
        name: As the manifest writes it.
        do: Does it, twice without harm, and returns the files that it promises.
        stage: Whose clock it runs on; None for the whole run's.
        estimate: What it will write, and where; the manifest and some log lines come on top.
        reads: What must be there.
        writes: What the files that it promises are.
    """

    name: str
    do: StepFunction
    stage: int | None
    estimate: Estimate
    reads: tuple[Artifact, ...]
    writes: tuple[Artifact, ...]


def _dataset(stage: int, estimate: Estimate, *reads: Artifact) -> Row:
    do = partial(dataset.run, stage=stage)
    return Row(f"dataset_{stage}", do, stage, estimate, (BASE_MODEL, *reads), (training_data(stage),))


def _train(stage: int, *reads: Artifact) -> Row:
    do, estimate = partial(train.run, stage=stage), partial(disk_budget.of_training, stage=stage)
    reads = (BASE_MODEL, training_data(stage), *reads)
    return Row(f"train_{stage}", do, stage, estimate, reads, (adapters(stage),))


def _evaluate(stage: int, *reads: Artifact) -> Row:
    do, estimate = partial(evaluate.run, stage=stage), partial(disk_budget.of_evaluation, stage=stage)
    reads = (BASE_MODEL, training_data(stage), adapters(stage), *reads)
    return Row(f"evaluate_{stage}", do, stage, estimate, reads, (evaluation(stage),))


_ROWS = (
    Row("parse", parse.run, None, disk_budget.of_parsing, (REPORTS,), (FINDINGS,)),
    _dataset(1, disk_budget.of_dataset_1, PUBLIC_DATA),
    _train(1),
    _evaluate(1),
    _dataset(2, disk_budget.of_dataset_2, FINDINGS, training_data(1)),
    _train(2, adapters(1)),
    _evaluate(2, adapters(1)),
    Row(
        "retention",
        retention.run,
        None,
        partial(disk_budget.of_evaluation, stage=1),
        (BASE_MODEL, training_data(1), adapters(1), adapters(2)),
        (RETENTION,),
    ),
    Row("fuse", fuse.run, None, disk_budget.of_fusing, (BASE_MODEL, adapters(2)), (FINAL_MODEL,)),
    Row(
        "certify",
        certify.run,
        None,
        disk_budget.of_certifying,
        (
            FINAL_MODEL,
            *(of(stage) for of in (training_data, adapters, evaluation) for stage in (1, 2)),
        ),
        (SUMMARY, CERTIFIED_MODEL),
    ),
    Row("upload", upload.run, None, disk_budget.of_nothing, (CERTIFIED_MODEL,), ()),
)
STEPS: dict[str, Row] = {row.name: row for row in _ROWS}
STEP_NAMES = tuple(STEPS)
STAGE_STEPS = {
    stage: tuple(row.name for row in _ROWS if row.stage == stage) for stage in (1, 2)
}  # the last step of a stage ends the stage's clock


def stage_of(step: str) -> int | None:
    """The stage that a step belongs to; None for a step of the whole run.

    Raises:
        KeyError: There is no such step.
    """
    return STEPS[step].stage
