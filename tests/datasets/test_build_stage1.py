"""Stage 1's builder from rows to files: what is written, what is counted, what never leaks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.children.request import from_json, to_json
from jobs.datasets.build import build_stage1
from jobs.datasets.examples.example import fenced_code, prompt_code
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.public.source import Source
from jobs.datasets.request import Stage1Request
from jobs.errors import OperatorError

Stage1 = Callable[..., Stage1Request]
PARTS = ("train", "valid", "test")


def parts_of(request: Stage1Request, made: SimpleNamespace) -> dict[str, list[dict[str, Any]]]:
    return {part: made.read_lines(request.out / f"{part}.jsonl") for part in PARTS}


def both(made: SimpleNamespace, count: int) -> tuple[list[Any], list[Any]]:
    return [made.crossvul_row(n) for n in range(count)], [made.cvefixes_row(n) for n in range(count)]


@pytest.mark.slow
def test_two_sources_become_three_files_and_numbers_that_agree_with_them(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    request = stage1(*both(made, 30))
    stats = build_stage1(request, made.silent)
    parts = parts_of(request, made)
    assert sorted(path.name for path in request.out.iterdir()) == ["test.jsonl", "train.jsonl", "valid.jsonl"]
    assert stats["total_examples"] == 60
    assert [len(parts[part]) for part in PARTS] == [120, 6, 6]
    assert (stats["train_examples"], stats["validation_examples"], stats["test_examples"]) == (120, 6, 6)
    assert stats["unweighted_train_examples"] == 48
    assert stats["quality_weighting"] == {
        "asked": 2.5,
        "achieved": 2.5,
        "weighted_examples": 48,
        "copies": 72,
    }
    assert stats["leakage"]["leaks"] == 0
    assert {row["metadata"]["source"] for row in parts["test"]} == {"crossvul", "cvefixes"}
    assert json.loads(json.dumps(stats)) == stats


@pytest.mark.slow
def test_every_example_fits_and_its_answer_is_one_fence_and_no_copy(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    request = stage1(*both(made, 12), max_seq_length=700, context_lines=5)
    stats = build_stage1(request, made.silent)
    counter = TokenCounter(request.tokenizer)
    lengths = []
    for row in (row for rows in parts_of(request, made).values() for row in rows):
        prompt, answer = row["messages"][1]["content"], row["messages"][2]["content"]
        prompt_tokens, total = counter.count(row["messages"])
        lengths.append(total)
        assert prompt_tokens < total <= 700
        assert fenced_code(answer) != prompt_code(prompt)
        assert "CVE-" not in answer
    assert stats["token_lengths"]["max"] == max(lengths)
    assert stats["total_examples"] == 24  # context gave way, no example was lost


def test_an_example_that_cannot_fit_is_dropped_and_counted_and_never_cut(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    many = "\n".join(f"$value_{number} = old({number});" for number in range(60))
    rows = [made.crossvul_row(n) for n in range(3)]
    rows.append(
        {**rows[0], "vulnerable_code": f"<?php\n{many}", "fixed_code": f"<?php\n{many}".replace("old", "new")}
    )
    stats = build_stage1(stage1(rows, [], max_seq_length=900), made.silent)
    assert stats["dropped"] == {"too_long": 1}
    assert stats["total_examples"] == 3


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_parts(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    rows = both(made, 20)
    written = []
    for seed in (1, 1, 2):
        request = stage1(*rows, seed=seed)
        build_stage1(request, made.silent)
        written.append({part: (request.out / f"{part}.jsonl").read_bytes() for part in PARTS})
    assert written[0] == written[1]
    assert written[0] != written[2]


@pytest.mark.slow
def test_parquet_and_json_lines_give_the_same_bytes(
    stage1: Stage1, made: SimpleNamespace, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = both(made, 10)
    request = stage1(*rows)
    build_stage1(request, made.silent)
    plain = [(request.out / f"{part}.jsonl").read_bytes() for part in PARTS]
    sources = []
    for name, values in zip(("crossvul", "cvefixes"), rows, strict=True):
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(values), path)
        sources.append(Source(name, str(path)))  # type: ignore[arg-type]
    again = stage1(*rows, sources=tuple(sources))
    build_stage1(again, made.silent)
    assert [(again.out / f"{part}.jsonl").read_bytes() for part in PARTS] == plain


def test_rows_of_one_commit_are_merged_and_keep_the_cwes_of_all(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    rows = [
        made.cvefixes_row(1),
        made.cvefixes_row(1, cve_id="CVE-2031-7", cwe_id="CWE-20", cwe_name="Improper Input Validation"),
        made.cvefixes_row(1, cwe_id="NVD-CWE-noinfo", cwe_name=None),
    ]
    request = stage1([], rows)
    stats = build_stage1(request, made.silent)
    example = parts_of(request, made)["train"][0]
    assert stats["per_source"]["cvefixes"]["dropped"] == {"merged_with_same_change": 2}
    assert (
        "CWE: CWE-89 (SQL Injection), CWE-20 (Improper Input Validation)" in example["messages"][1]["content"]
    )
    assert example["metadata"]["cwe_ids"] == ["CWE-89", "CWE-20"]
    assert {"cve:CVE-2031-7", "cve:CVE-2031-10001"} <= set(example["metadata"]["groups"])


def test_a_row_without_cwe_is_kept_with_standard_quality_and_no_cwe_line(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    request = stage1([made.crossvul_row(1, cwe_id=None)], [])
    build_stage1(request, made.silent)
    (example,) = parts_of(request, made)["train"]
    assert "CWE:" not in example["messages"][1]["content"]
    assert (example["metadata"]["cwe_id"], example["metadata"]["quality"]) == (None, "standard")


def test_a_change_that_both_sources_tell_of_is_there_once(stage1: Stage1, made: SimpleNamespace) -> None:
    row = made.cvefixes_row(1)
    body = row["diff_with_context"].split("\n")[5:]
    before = "\n".join(line[1:] for line in body if line[0] != "+")
    after = "\n".join(line[1:] for line in body if line[0] != "-")
    pair = made.crossvul_row(1, vulnerable_code=before, fixed_code=after, language="python")
    stats = build_stage1(stage1([pair], [row]), made.silent)
    assert stats["total_examples"] == 1
    assert stats["per_source"]["cvefixes"]["dropped"] == {"duplicate": 1}


@pytest.mark.slow
def test_copies_of_one_change_in_many_commits_never_stand_on_two_sides(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    near = []
    for number in range(24):
        code = made.crossvul_row(number % 3)
        near.append(
            {
                **code,
                "file_pair_id": f"{number}_0",
                "vulnerable_code": code["vulnerable_code"].replace("'7_", f"'new{number}_"),
                "fixed_code": code["fixed_code"].replace("'7_", f"'new{number}_"),
            }
        )
    request = stage1([*near, *(made.crossvul_row(number) for number in range(3, 30))], [])
    stats = build_stage1(request, made.silent)
    assert stats["leakage"]["leaks"] == 0
    homes: dict[str, set[str]] = {}
    for part, rows in parts_of(request, made).items():
        for row in rows:
            word = row["messages"][1]["content"].split("function ")[1].split("(")[0]
            homes.setdefault(word, set()).add(part)
    assert all(len(found) == 1 for found in homes.values())


def test_a_todo_only_in_the_context_costs_the_context_and_not_the_example(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    row = made.crossvul_row(1)
    sides = {
        name: row[name].replace("'10_7'", "'10_7' /* TODO */") for name in ("vulnerable_code", "fixed_code")
    }
    request = stage1([{**row, **sides}], [], context_lines=6)
    stats = build_stage1(request, made.silent)
    assert stats["total_examples"] == 1
    assert "TODO" not in (request.out / "train.jsonl").read_text()


def test_a_column_that_is_not_there_names_itself_and_the_setting(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    row = made.cvefixes_row(1)
    del row["diff_with_context"]
    with pytest.raises(
        OperatorError, match=r"no column diff_with_context.*datasets\.sources\.cvefixes\.source"
    ):
        build_stage1(stage1([], [row]), made.silent)


def test_nothing_to_learn_is_refused_with_the_reasons_and_leaves_the_old_folder(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    good = stage1([made.crossvul_row(1)], [])
    build_stage1(good, made.silent)
    before = (good.out / "train.jsonl").read_bytes()
    with pytest.raises(OperatorError, match=r"gave no example.*1 x One of the two sides is missing"):
        build_stage1(stage1([made.crossvul_row(1, fixed_code=None)], []), made.silent)
    assert (good.out / "train.jsonl").read_bytes() == before
    assert [path.name for path in good.out.parent.iterdir()] == ["training-data"]


def test_a_crash_half_way_leaves_the_old_folder_and_the_next_build_clears_up(
    stage1: Stage1, made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = stage1([made.crossvul_row(n) for n in range(4)], [])
    build_stage1(request, made.silent)
    left = request.out.parent / ".training-data-scratch.0badcafe.tmp"
    left.mkdir()

    def crash(phase: str, _done: int, _total: int | None) -> None:
        if phase == "writing":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_stage1(request, crash)
    assert sorted(path.name for path in request.out.iterdir()) == ["test.jsonl", "train.jsonl", "valid.jsonl"]
    assert not left.exists()
    assert [path.name for path in request.out.parent.iterdir()] == ["training-data"]


def test_progress_is_told_with_a_phase_and_never_beyond_its_total(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    told: list[tuple[str, int, int | None]] = []
    build_stage1(stage1(*both(made, 4)), lambda *values: told.append(values))
    assert {phase for phase, _, _ in told} == {
        "reading crossvul",
        "reading cvefixes",
        "making examples",
        "writing",
    }
    assert all(total is None or done <= total for _, done, total in told)


@pytest.mark.parametrize(
    "changes", [{"valid_fraction": 0.6, "test_fraction": 0.5}, {"quality_weight_multiplier": 0.5}]
)
def test_an_impossible_setting_is_the_operator_s_to_mend(
    stage1: Stage1, made: SimpleNamespace, changes: dict[str, float]
) -> None:
    with pytest.raises(OperatorError):
        build_stage1(stage1([made.crossvul_row(1)], [], **changes), made.silent)


def test_a_folder_without_a_tokenizer_is_the_operator_s_to_mend(
    stage1: Stage1, made: SimpleNamespace, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(OperatorError, match="holds no tokenizer"):
        build_stage1(stage1([made.crossvul_row(1)], [], tokenizer=tmp_path / "empty"), made.silent)


def test_a_request_is_the_same_after_a_trip_through_json(stage1: Stage1) -> None:
    request = stage1([], [])
    assert from_json(Stage1Request, json.loads(json.dumps(to_json(request)))) == request


def test_a_source_that_nobody_knows_is_named(stage1: Stage1) -> None:
    value = to_json(stage1([], []))
    value["sources"][0]["name"] = "bigvul"
    with pytest.raises(OperatorError, match="bigvul"):
        from_json(Stage1Request, value)
