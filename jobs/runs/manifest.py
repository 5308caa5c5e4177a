"""The run manifest, version 2.0: the one record of a run's inputs, steps, progress and results.

A number that was not measured is None. The JSON Schema in `manifest.schema.json` beside this file is
generated from these models (`python -m jobs.runs.manifest` prints it; a test keeps the two equal).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from jobs.errors import OperatorError
from jobs.runs.status import DONE, RunStatus, StageStatus, StepStatus, WaitingKind
from jobs.runs.waiting import WaitingFor

VERSION: Literal["2.0"] = "2.0"
Verdict = Literal["received", "parsed", "parsed_with_warnings", "empty", "refused"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
RelativePath = Annotated[str, StringConstraints(pattern=r"^\./")]


def _a_real_moment(value: str) -> str:
    datetime.fromisoformat(value)  # raises ValueError for the 31st of February
    return value


Timestamp = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$"),
    AfterValidator(_a_real_moment),
]


def seconds_between(start: str, end: str) -> float:
    """Seconds from one manifest timestamp to another."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


class Part(BaseModel):
    """A part of the manifest; assignments are checked, unknown keys refused, NaN is not a number."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True, allow_inf_nan=False)


class Input(Part):
    """One file of the delivery (or member of an archive) and what became of it."""

    name: str
    sha256: Sha256 | None  # None where it could not be read
    tool: str | None = None
    format: str | None = None
    verdict: Verdict = "received"
    findings: int | None = None
    reason: str | None = None


class Output(Part):
    """A file a step promised and wrote; the path is relative to the run folder."""

    path: str
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class StepError(Part):
    """Why a step failed, in words a person can act on; the traceback where it was a bug of ours."""

    kind: str
    message: str
    remedy: str = ""
    traceback: str | None = None
    iteration: int | None = None  # how far the step had come


class Step(Part):
    """One link of the chain."""

    name: str
    status: StepStatus = StepStatus.PENDING
    attempts: Annotated[int, Field(ge=0)] = 0  # how often it was begun
    failures: Annotated[int, Field(ge=0)] = (
        0  # how often without progress in between; a killed daemon is none
    )
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    outputs: list[Output] = []
    error: StepError | None = None
    reason: str | None = None


class Progress(Part):
    """Where the running step is; speeds in tokens per second, memory in GB (10**9 bytes)."""

    step: str | None = None
    phase: str | None = None
    iteration: int | None = None
    iterations: int | None = None
    tokens_per_second: float | None = None
    train_loss: float | None = None
    valid_loss: float | None = None
    learning_rate: float | None = None
    peak_memory_gb: float | None = None
    eta_seconds: float | None = None
    updated_at: Timestamp | None = None


class ArtifactTypes(Part):
    """What kind of folder each path is: what was trained only (mlx-lm's word), or a complete model only."""

    adapters: Literal["lora", "dora", "full"] = "lora"
    merged_model: Literal["full_model"] = "full_model"


class Stage(Part):
    """One stage: promised paths first, facts as they become known."""

    status: StageStatus = StageStatus.PENDING
    duration_seconds: float | None = None
    adapters_path: RelativePath
    training_data_path: RelativePath
    evaluation_results_path: RelativePath
    merged_model_path: RelativePath | None = None
    validation_path: RelativePath
    artifact_types: ArtifactTypes = ArtifactTypes()
    reused_from: str | None = None
    reuse_key: Sha256 | None = None  # what this stage's adapter depends on
    training_params: dict[str, Any] = {}
    dataset_stats: dict[str, Any] = {}


class Stage1Dependency(Part):
    """The stage 1 adapter that stage 2 started from."""

    adapter_path: RelativePath
    sha256: Sha256 | None = None


class Stage2(Stage):
    """Stage 2 also says where it started and where the fused model goes."""

    final_model_path: RelativePath
    stage1_dependencies: Stage1Dependency


class Gate(Part):
    """A threshold a model is held to; `passed` is None where the value was not measured."""

    name: str
    value: float | None
    threshold: float
    passed: bool | None


class Validation(Part):
    """How good the result is, in percent."""

    stage1_score: float | None = None
    stage2_score: float | None = None
    retention_rate: float | None = None
    base_score_stage1: float | None = None
    base_score_stage2: float | None = None
    stage1_score_on_stage2: float | None = None  # the stage 1 model on stage 2's test part
    stage2_score_on_stage1: float | None = None  # the stage 2 model on stage 1's test part
    gates: list[Gate] = []
    validation_timestamp: Timestamp | None = None


class Certified(Part):
    """The registry entry made of this run."""

    name: str
    path: str
    activated: bool


class Provenance(Part):
    """What made this run."""

    sectune: str
    python: str
    mlx: str | None = None
    mlx_lm: str | None = None
    settings_sha256: Sha256
    base_model_sha256: Sha256 | None = None
    seed: int
    platform: str


class Manifest(Part):
    """The whole record of one run."""

    version: Literal["2.0"]
    run_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    timestamp: Timestamp
    updated_at: Timestamp
    pipeline_type: Literal["sequential"] = "sequential"
    status: RunStatus = RunStatus.QUEUED
    status_reason: str | None = None  # for people; nothing is decided by it
    waiting_for: Annotated[WaitingFor, Field(discriminator="kind")] | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] = 0  # higher goes first, at the next step
    base_model: str
    total_duration_seconds: float | None = None
    delivery: str | None = None  # set by the intake, so that a crash cannot make two runs of one delivery
    inputs: list[Input] = []
    steps: list[Step]
    progress: Progress = Progress()
    stage1: Stage
    stage2: Stage2
    validation: Validation = Validation()
    final_model_path: RelativePath
    certified: Certified | None = None
    provenance: Provenance

    def step(self, name: str) -> Step:
        """The step called `name`.

        Raises:
            KeyError: There is none.
        """
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)

    def stage(self, number: int) -> Stage:
        """Stage 1 or stage 2."""
        return self.stage1 if number == 1 else self.stage2

    def waits_for(self, *kinds: WaitingKind) -> bool:
        """Whether the run waits, and for one of these."""
        return (
            self.status is RunStatus.WAITING
            and self.waiting_for is not None
            and self.waiting_for.kind in kinds
        )

    def next_step(self) -> Step | None:
        """The first step that is neither done nor skipped; None when the chain is at its end."""
        for step in self.steps:
            if step.status not in DONE:
                return step
        return None


def read_manifest(path: Path) -> Manifest:
    """Read and check one manifest.

    Raises:
        OperatorError: It is not a manifest of version 2.0.
    """
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        first = " ".join(str(error).split())[:300]
        raise OperatorError(f"{path} is not a readable manifest 2.0: {first}") from error


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a manifest."""
    schema = Manifest.model_json_schema(mode="serialization")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sectune run manifest 2.0",
        **{key: value for key, value in schema.items() if key != "title"},
    }


if __name__ == "__main__":
    print(json.dumps(json_schema(), indent=2, ensure_ascii=False))  # noqa: T201 - data on stdout
