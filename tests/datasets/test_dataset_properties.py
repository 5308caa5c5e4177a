"""Properties of a whole build, for any rows and settings: leaks, counts, lengths, bytes, answers."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.datasets.build import build_stage1, build_stage2
from jobs.datasets.examples.example import fenced_code, prompt_code
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.parts.leakage import check
from jobs.datasets.public.source import Source
from jobs.datasets.request import Stage1Request, Stage2Request
from jobs.errors import OperatorError

PARTS = ("train", "valid", "test")
SLOW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Each row: which file it is of, which commit it says it is of, and which spot of the file is wrong. Few files
# and commits, so that copies, near-duplicates and shared commits are the rule.
ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=30)
SETTINGS = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 5),
        "valid_fraction": st.sampled_from([0.0, 0.1, 0.3]),
        "test_fraction": st.sampled_from([0.0, 0.1, 0.3]),
        "quality_weight_multiplier": st.sampled_from([1.0, 1.4, 2.5, 3.0]),
        "context_lines": st.integers(0, 12),
        "max_seq_length": st.sampled_from([420, 700, 4096]),
        "augmentation": st.integers(0, 2),
    }
)


def pair(made: SimpleNamespace, file: int, commit: int, spot: int) -> dict[str, Any]:
    row = made.crossvul_row(file, file_pair_id=f"{commit}_{file}")
    lines = row["vulnerable_code"].split("\n")
    fixed = list(lines)
    fixed[4 + 4 * spot] = f"    checked_{file}_{spot}(); // {lines[4 + 4 * spot].strip()[:20]}"
    return {**row, "vulnerable_code": "\n".join(lines), "fixed_code": "\n".join(fixed)}


def asked(
    folder: Path, rows: list[Any], made: SimpleNamespace, tokenizer: Path, **facts: Any
) -> Stage1Request:
    source = made.write_lines(folder / "rows" / "train.jsonl", rows).parent
    return Stage1Request(
        out=folder / "out" / "training-data",
        tokenizer=tokenizer,
        sources=(Source("crossvul", str(source)),),
        **facts,
    )


def parts_of(folder: Path, made: SimpleNamespace) -> dict[str, list[dict[str, Any]]]:
    return {part: made.read_lines(folder / f"{part}.jsonl") for part in PARTS}


@pytest.mark.slow
@SLOW
@given(rows=ROWS, facts=SETTINGS)
def test_whatever_the_rows_and_settings_nothing_leaks_all_fits_and_every_number_is_true(
    rows: list[tuple[int, int, int]], facts: dict[str, Any], made: SimpleNamespace, tokenizer: Path
) -> None:
    sources = [pair(made, *row) for row in rows]
    truth = {(row["vulnerable_code"], row["fixed_code"]) for row in sources}
    with TemporaryDirectory() as scratch:
        request = asked(Path(scratch), sources, made, tokenizer, **facts)
        try:
            stats = build_stage1(request, made.silent)
        except OperatorError:
            return  # nothing fitted
        parts = parts_of(request.out, made)
        assert check(request.out)["leaks"] == 0
        again = {part: (request.out / f"{part}.jsonl").read_bytes() for part in PARTS}
        build_stage1(request, made.silent)
        assert {part: (request.out / f"{part}.jsonl").read_bytes() for part in PARTS} == again
    counter = TokenCounter(tokenizer)
    for row in (row for part in PARTS for row in parts[part]):
        assert counter.total(row["messages"]) <= request.max_seq_length
        before, after = prompt_code(row["messages"][1]["content"]), fenced_code(row["messages"][2]["content"])
        assert any(old.replace(before, after, 1) == new for old, new in truth if before in old)
    weighting(parts["train"], stats, facts["quality_weight_multiplier"])
    assert stats["train_examples"] == len(parts["train"])
    assert len(rows) == stats["total_examples"] + sum(stats["dropped"].values())


def weighting(train: list[dict[str, Any]], stats: dict[str, Any], multiplier: float) -> None:
    plain = [row for row in train if "augmented" not in row["metadata"]]
    rows = Counter((row["metadata"]["quality"], row["messages"][1]["content"]) for row in plain)
    high = [count for (quality, _), count in rows.items() if quality == "high"]
    assert abs(sum(high) - multiplier * len(high)) <= 0.5
    assert all(int(multiplier) <= count <= int(multiplier) + 1 for count in high)
    assert all(count == 1 for (quality, _), count in rows.items() if quality != "high")
    assert stats["unweighted_train_examples"] == len(rows)


@pytest.mark.slow
@SLOW
@given(ratio=st.sampled_from([0.0, 0.01, 0.15, 0.5, 1.0]), count=st.integers(1, 25), seed=st.integers(0, 5))
def test_the_replay_is_the_ratio_of_stage_2_s_own_rows_exactly_or_all_there_is(
    ratio: float, count: int, seed: int, made: SimpleNamespace, tokenizer: Path
) -> None:
    facts: dict[str, Any] = {
        "seed": seed, "valid_fraction": 0.1, "test_fraction": 0.1,
        "quality_weight_multiplier": 2.5, "max_seq_length": 4096,
    }  # fmt: skip
    with TemporaryDirectory() as scratch:
        first = asked(
            Path(scratch),
            [made.crossvul_row(n) for n in range(20)],
            made,
            tokenizer,
            context_lines=4,
            **facts,
        )
        available = build_stage1(first, made.silent)["unweighted_train_examples"]
        findings = [made.edit_finding(number).to_json() for number in range(count)]
        second = Stage2Request(
            out=Path(scratch) / "two" / "training-data",
            tokenizer=tokenizer,
            findings=made.write_lines(Path(scratch) / "findings.jsonl", findings),
            replay_from=first.out / "train.jsonl",
            replay_ratio=ratio,
            domain="webauthn",
            **facts,
        )
        stats = build_stage2(second, made.silent)
        train = made.read_lines(second.out / "train.jsonl")
    replayed = sum(bool(row["metadata"].get("replay_from_stage1")) for row in train)
    own = len(train) - replayed
    assert replayed == min(round(ratio * own), available) == stats["stage1_replay_examples"]
    assert own == stats["webauthn_examples"]
    assert stats["leakage"]["across_stages"]["leaks"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("count", range(1, 31))
def test_a_small_set_has_a_test_and_a_valid_case_from_ten_examples_on(
    count: int, made: SimpleNamespace, tokenizer: Path, tmp_path: Path
) -> None:
    rows = [made.crossvul_row(n) for n in random.Random(count).sample(range(60), count)]
    request = asked(
        tmp_path, rows, made, tokenizer, seed=count, valid_fraction=0.1, test_fraction=0.1,
        quality_weight_multiplier=1.0, context_lines=4, max_seq_length=4096,
    )  # fmt: skip
    stats = build_stage1(request, made.silent)
    assert stats["unweighted_train_examples"] >= 1
    if count >= 10:
        assert stats["test_examples"] >= 1
        assert stats["validation_examples"] >= 1
