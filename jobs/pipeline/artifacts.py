"""What steps hand on to each other: a kind of thing, of one stage or of the whole run, and where it lies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from jobs.runs.folder import RunFolder


class Kind(StrEnum):
    """A kind of thing that a step reads or writes."""

    PUBLIC_DATA = "public_data"
    """Rows of public vulnerability/fix pairs; outside of the run."""
    BASE_MODEL = "base_model"
    """Outside of the run."""
    REPORTS = "reports"
    """The delivery, as received."""
    FINDINGS = "findings"
    """What the reports told, and what could not be read."""
    TRAINING_DATA = "training_data"
    """A stage's train, valid and test part."""
    ADAPTERS = "adapters"
    """What a stage's training left, and its reports."""
    EVALUATION = "evaluation"
    """Answers and scores on a stage's test part."""
    RETENTION = "retention"
    """Stage 2's answers and scores on stage 1's test part."""
    FINAL_MODEL = "final_model"
    """The fused model, and how it was proved."""
    SUMMARY = "summary"
    """The run in figures."""
    CERTIFIED_MODEL = "certified_model"
    """The registry's entry; outside of the run."""


@dataclass(frozen=True)
class Artifact:
    """One such thing.

    Args:
        kind: What it is.
        stage: Whose it is, where both stages have one.
    """

    kind: Kind
    stage: int | None = None

    def places(self, run: RunFolder) -> tuple[Path, ...]:
        """The files and folders of a run that are it; none for what lies outside."""
        if self.stage is not None:
            stage = run.stage(self.stage)
            return {
                Kind.TRAINING_DATA: (stage.training_data,),
                Kind.ADAPTERS: (stage.adapters, stage.metrics),
                Kind.EVALUATION: (stage.evaluation,),
            }[self.kind]
        of_the_run = {
            Kind.REPORTS: (run.reports,),
            Kind.FINDINGS: (run.findings, run.skipped),
            Kind.RETENTION: (run.retention,),
            Kind.FINAL_MODEL: (run.final_model, run.fuse_report),
            Kind.SUMMARY: (run.training_summary, run.performance_metrics),
        }
        return of_the_run.get(self.kind, ())

    def __str__(self) -> str:
        return self.kind if self.stage is None else f"{self.kind}_{self.stage}"


PUBLIC_DATA = Artifact(Kind.PUBLIC_DATA)
BASE_MODEL = Artifact(Kind.BASE_MODEL)
REPORTS = Artifact(Kind.REPORTS)
FINDINGS = Artifact(Kind.FINDINGS)
RETENTION = Artifact(Kind.RETENTION)
FINAL_MODEL = Artifact(Kind.FINAL_MODEL)
SUMMARY = Artifact(Kind.SUMMARY)
CERTIFIED_MODEL = Artifact(Kind.CERTIFIED_MODEL)


def training_data(stage: int) -> Artifact:
    """A stage's training data."""
    return Artifact(Kind.TRAINING_DATA, stage)


def adapters(stage: int) -> Artifact:
    """A stage's adapters."""
    return Artifact(Kind.ADAPTERS, stage)


def evaluation(stage: int) -> Artifact:
    """A stage's evaluation."""
    return Artifact(Kind.EVALUATION, stage)
