"""The step table says what each step reads and writes, and it is true."""

from __future__ import annotations

from pathlib import Path

from jobs.pipeline.artifacts import BASE_MODEL, PUBLIC_DATA, REPORTS, Artifact
from jobs.pipeline.step_table import STAGE_STEPS, STEPS, stage_of
from jobs.runs.folder import RunFolder


def test_what_a_step_reads_was_written_by_an_earlier_one_or_lies_outside() -> None:
    there: set[Artifact] = {PUBLIC_DATA, BASE_MODEL, REPORTS}
    for row in STEPS.values():
        assert set(row.reads) <= there, row.name
        assert not there & set(row.writes), row.name
        there |= set(row.writes)


def test_everything_that_is_written_is_read_but_what_is_for_people() -> None:
    read = {artifact for row in STEPS.values() for artifact in row.reads}
    written = {artifact for row in STEPS.values() for artifact in row.writes}
    assert {str(artifact) for artifact in written - read} == {"retention", "summary"}


def test_no_two_artifacts_share_a_place() -> None:
    folder = RunFolder(Path("/run"))
    written = {artifact for row in STEPS.values() for artifact in row.writes}
    places = [place for artifact in written for place in artifact.places(folder)]
    assert len(places) == len(set(places))


def test_each_stage_has_its_three_steps_in_order() -> None:
    assert STAGE_STEPS == {
        1: ("dataset_1", "train_1", "evaluate_1"),
        2: ("dataset_2", "train_2", "evaluate_2"),
    }
    assert [stage_of(name) for name in ("parse", "train_2", "retention", "upload")] == [None, 2, None, None]
