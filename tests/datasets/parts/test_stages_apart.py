"""Stages apart: what one stage is measured by, the other never trains on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from jobs.datasets.build import build_stage1, build_stage2
from jobs.datasets.parts.leakage import LeakFound, check_across, require_none
from jobs.datasets.request import Stage1Request, Stage2Request

Stage1 = Callable[..., Stage1Request]
Stage2 = Callable[..., Stage2Request]


@pytest.fixture
def first(stage1: Stage1, made: SimpleNamespace) -> Stage1Request:
    request = stage1([made.crossvul_row(n) for n in range(40)], [], quality_weight_multiplier=1.0)
    build_stage1(request, made.silent)
    return request


@pytest.mark.slow
def test_the_check_runs_on_every_stage_2_build_and_is_recorded(
    first: Stage1Request, stage2: Stage2, made: SimpleNamespace
) -> None:
    request = stage2([made.edit_finding(n) for n in range(20)], first.out / "train.jsonl")
    across = build_stage2(request, made.silent)["leakage"]["across_stages"]
    assert across["leaks"] == 0
    assert across["checked"] == ["prompt", "vulnerable_code", "answer", "near_duplicate"]


@pytest.mark.slow
@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_what_stage_1_has_in_any_part_is_no_example_of_stage_2(
    first: Stage1Request, stage2: Stage2, made: SimpleNamespace, part: str, tmp_path: Path
) -> None:
    findings = [made.edit_finding(n) for n in range(20)]
    lone = stage2(findings, first.out / "train.jsonl", out=tmp_path / "lone" / "training-data")
    build_stage2(lone, made.silent)
    taken = [
        row
        for name in ("train", "valid", "test")
        for row in made.read_lines(lone.out / f"{name}.jsonl")
        if row["metadata"]["source"] == "webauthn_security_tools"
    ][:1]
    path = first.out / f"{part}.jsonl"
    made.write_lines(path, [*made.read_lines(path), *taken])
    stats = build_stage2(stage2(findings, first.out / "train.jsonl"), made.silent)
    reason = "stands_in_stage1_train" if part == "train" else "stands_in_stage1_test"
    assert stats["dropped"][reason] >= 1
    assert stats["leakage"]["across_stages"]["leaks"] == 0


@pytest.mark.slow
def test_a_leak_in_either_direction_is_found(
    first: Stage1Request, stage2: Stage2, made: SimpleNamespace, tmp_path: Path
) -> None:
    request = stage2([made.edit_finding(n) for n in range(20)], first.out / "train.jsonl")
    build_stage2(request, made.silent)
    assert check_across(first.out / "train.jsonl", request.out)["leaks"] == 0
    for source, target in (
        (first.out / "train.jsonl", request.out / "test.jsonl"),
        (first.out / "test.jsonl", request.out / "train.jsonl"),
    ):
        kept = target.read_bytes()
        target.write_bytes(kept + source.read_bytes())
        result = check_across(first.out / "train.jsonl", request.out)
        assert all(count > 0 for kind, count in result["by_kind"].items())
        with pytest.raises(LeakFound):
            require_none(result)
        target.write_bytes(kept)


@pytest.mark.slow
def test_replay_draws_from_the_training_part_alone_and_never_a_copy_in_other_words(
    stage1: Stage1, stage2: Stage2, made: SimpleNamespace
) -> None:
    first = stage1([made.crossvul_row(n) for n in range(30)], [], augmentation=2)
    stats = build_stage1(first, made.silent)
    request = stage2([made.edit_finding(n) for n in range(20)], first.out / "train.jsonl", replay_ratio=1.0)
    second = build_stage2(request, made.silent)
    assert second["replay"]["available"] == stats["unweighted_train_examples"]
    trained = {
        row["messages"][1]["content"]
        for row in made.read_lines(first.out / "train.jsonl")
        if "augmented" not in row["metadata"]
    }
    replayed = [
        row["messages"][1]["content"]
        for row in made.read_lines(request.out / "train.jsonl")
        if row["metadata"].get("replay_from_stage1")
    ]
    assert len(set(replayed)) == len(replayed) == second["stage1_replay_examples"]
    assert set(replayed) <= trained
