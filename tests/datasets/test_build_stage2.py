"""Stage 2's builder: a delivery's fixes, a replay of stage 1's training part, no leaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from jobs.children.request import from_json, to_json
from jobs.datasets.build import build_stage1, build_stage2
from jobs.datasets.request import Stage1Request, Stage2Request
from jobs.errors import DeliveryRefused, OperatorError

Stage1 = Callable[..., Stage1Request]
Stage2 = Callable[..., Stage2Request]
PARTS = ("train", "valid", "test")


@pytest.fixture
def replay_from(stage1: Stage1, made: SimpleNamespace) -> Path:
    """A train.jsonl of stage 1 with weighting's copies in it."""
    request = stage1([made.crossvul_row(n) for n in range(20)], [made.cvefixes_row(n) for n in range(20)])
    build_stage1(request, made.silent)
    return request.out / "train.jsonl"


def findings_of(made: SimpleNamespace) -> list[Any]:
    return [*(made.upgrade(word, "1.0.1") for word in made.words), *(made.edit_finding(n) for n in range(24))]


def parts_of(request: Stage2Request, made: SimpleNamespace) -> dict[str, list[dict[str, Any]]]:
    return {part: made.read_lines(request.out / f"{part}.jsonl") for part in PARTS}


@pytest.mark.slow
def test_findings_become_three_files_and_numbers_that_agree_with_them(
    stage2: Stage2, replay_from: Path, made: SimpleNamespace
) -> None:
    request = stage2(findings_of(made), replay_from)
    stats = build_stage2(request, made.silent)
    parts = parts_of(request, made)
    own = [row for row in parts["train"] if not row["metadata"].get("replay_from_stage1")]
    assert stats["sources"] == ["webauthn_security_tools", "stage1_replay"]
    assert stats["total_examples"] == 36
    assert stats["per_tool"]["semgrep"] == {"findings": 24, "examples": 24, "dropped": {}}
    assert stats["per_provenance"] == {"edit_tool": 24, "version": 12}
    assert stats["webauthn_examples"] == len(own)
    assert stats["total_train_examples"] == stats["train_examples"] == len(parts["train"])
    assert (stats["validation_examples"], stats["test_examples"]) == (len(parts["valid"]), len(parts["test"]))
    assert stats["test_examples"] >= 1
    assert stats["leakage"]["leaks"] == 0
    assert {row["metadata"]["source"] for row in own} == {"webauthn_security_tools"}


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [0.0, 0.15, 0.4])
def test_replay_is_the_ratio_of_stage_2_s_own_rows_drawn_once_each_from_stage_1_s_training_part(
    stage2: Stage2, replay_from: Path, made: SimpleNamespace, ratio: float
) -> None:
    request = stage2(findings_of(made), replay_from, replay_ratio=ratio)
    stats = build_stage2(request, made.silent)
    parts = parts_of(request, made)
    replayed = [row for row in parts["train"] if row["metadata"].get("replay_from_stage1")]
    assert len(replayed) == stats["stage1_replay_examples"] == round(ratio * stats["webauthn_examples"])
    texts = [json.dumps(row["messages"]) for row in replayed]
    assert len(set(texts)) == len(texts)
    assert set(texts) <= {json.dumps(row["messages"]) for row in made.read_lines(replay_from)}
    assert not any(
        row["metadata"].get("replay_from_stage1") for part in ("valid", "test") for row in parts[part]
    )


@pytest.mark.slow
def test_replay_is_capped_by_what_stage_1_has_and_says_so(
    stage2: Stage2, replay_from: Path, made: SimpleNamespace, tmp_path: Path
) -> None:
    few = made.write_lines(tmp_path / "few.jsonl", made.read_lines(replay_from)[:1] * 5)
    stats = build_stage2(stage2(findings_of(made), few, replay_ratio=0.5), made.silent)
    assert stats["stage1_replay_examples"] == 1
    assert stats["replay"]["available"] == 1
    assert stats["replay"]["capped"]


@pytest.mark.slow
def test_weighting_applies_to_stage_2_too_and_never_to_the_replay(
    stage2: Stage2, replay_from: Path, made: SimpleNamespace
) -> None:
    stats = build_stage2(stage2(findings_of(made), replay_from), made.silent)
    weighting = stats["quality_weighting"]
    assert weighting["weighted_examples"] == stats["unweighted_train_examples"]
    assert stats["webauthn_examples"] == round(2.5 * stats["unweighted_train_examples"])
    assert weighting["achieved"] == pytest.approx(2.5, abs=1 / weighting["weighted_examples"])


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(stage2: Stage2, replay_from: Path, made: SimpleNamespace) -> None:
    written = []
    for seed in (1, 1, 2):
        request = stage2(findings_of(made), replay_from, seed=seed)
        build_stage2(request, made.silent)
        written.append([(request.out / f"{part}.jsonl").read_bytes() for part in PARTS])
    assert written[0] == written[1]
    assert written[0] != written[2]


@pytest.mark.slow
def test_upgrades_of_one_package_stay_on_one_side_whatever_the_advisory(
    stage2: Stage2, replay_from: Path, made: SimpleNamespace
) -> None:
    findings = [
        made.upgrade(word, f"1.0.{patch}", advisory=f"CVE-2031-{number}{patch}000")
        for number, word in enumerate(made.words)
        for patch in (1, 2, 3)
    ]
    request = stage2(findings, replay_from)
    stats = build_stage2(request, made.silent)
    homes: dict[str, set[str]] = {}
    for part, rows in parts_of(request, made).items():
        for row in rows:
            if "package" in row["metadata"]:
                homes.setdefault(row["metadata"]["package"], set()).add(part)
    assert stats["total_examples"] == 36
    assert len(homes) == 12
    assert all(len(found) == 1 for found in homes.values())


@pytest.mark.slow
def test_what_stage_1_trained_on_is_no_example_of_stage_2(
    stage2: Stage2, replay_from: Path, made: SimpleNamespace, tmp_path: Path
) -> None:
    first = stage2(findings_of(made), replay_from)
    build_stage2(first, made.silent)
    stage1_like = made.write_lines(tmp_path / "like.jsonl", made.read_lines(first.out / "test.jsonl"))
    stats = build_stage2(stage2(findings_of(made), stage1_like), made.silent)
    assert stats["dropped"]["stands_in_stage1_train"] >= len(made.read_lines(stage1_like))
    assert stats["leakage"]["leaks"] == 0


@pytest.mark.slow
def test_a_finding_without_a_fix_or_a_torn_line_never_ends_the_build(
    stage2: Stage2, replay_from: Path, made: SimpleNamespace
) -> None:
    rows = [
        {"not": "a finding"},
        7,
        *findings_of(made),
        made.edit_finding(3, fix=made.edit_finding(3).fix.__class__()),
    ]
    stats = build_stage2(stage2(rows, replay_from), made.silent)
    assert stats["dropped"] == {"malformed_finding": 2, "no_fix": 1}
    assert stats["total_examples"] == 36


@pytest.mark.slow
def test_a_delivery_with_nothing_to_learn_is_refused_with_the_reasons(
    stage2: Stage2, replay_from: Path, made: SimpleNamespace
) -> None:
    request = stage2([made.edit_finding(1, suppressed=True)], replay_from)
    with pytest.raises(DeliveryRefused, match="1 x The finding was suppressed") as caught:
        build_stage2(request, made.silent)
    assert "Deliver reports" in caught.value.remedy
    assert not request.out.exists()


def test_stage_1_s_data_that_is_not_there_or_broken_is_told(
    stage2: Stage2, made: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "broken.jsonl").write_text('{"messages": []}\n')
    for name in ("nowhere.jsonl", "broken.jsonl"):
        with pytest.raises(OperatorError, match="Stage 1's training data cannot be read"):
            build_stage2(stage2(findings_of(made), tmp_path / name), made.silent)


@pytest.mark.slow
def test_findings_that_are_not_there_are_told(
    stage2: Stage2, replay_from: Path, made: SimpleNamespace, tmp_path: Path
) -> None:
    with pytest.raises(OperatorError, match="The findings are not there"):
        build_stage2(
            msgspec.structs.replace(stage2([], replay_from), findings=tmp_path / "nowhere"), made.silent
        )


@pytest.mark.slow
def test_a_request_is_the_same_after_a_trip_through_json(stage2: Stage2, replay_from: Path) -> None:
    request = stage2([], replay_from)
    assert from_json(Stage2Request, json.loads(json.dumps(to_json(request)))) == request
