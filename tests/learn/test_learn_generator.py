from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.learn.flawed_files import flaws, make_file
from benchmarks.learn.names import Names
from benchmarks.learn.packages import KINDS, advisories
from benchmarks.learn.pretraining_corpus import SYSTEM as CORPUS_SYSTEM
from benchmarks.learn.pretraining_corpus import corpus_rows
from benchmarks.learn.public_rows import crossvul_rows, cvefixes_rows
from benchmarks.learn.reports import reports
from benchmarks.learn.scene import CORPUS_SEED, SEED, WORDING_SEED, Learning
from benchmarks.learn.wording import wording_rows
from config.load import load
from daemon.demo.crossvul_sample import crossvul_rows as demo_crossvul
from daemon.demo.cvefixes_sample import COLUMNS
from jobs.datasets.build import build_stage1, build_stage2
from jobs.datasets.examples.example import SYSTEM
from jobs.datasets.examples.syntax import faults
from jobs.datasets.fixes.offers import refusal_of
from jobs.datasets.public.source import Source
from jobs.datasets.request import Stage1Request, Stage2Request
from jobs.findings.files.archive import Limits
from jobs.findings.parse import Parsed, parse_paths
from jobs.fs.files import read_jsonl, write_json, write_jsonl
from jobs.mlx.toy_models.copy_pretrained_model import build_tokenizer

ROWS, ADVISORIES = 120, 70
LIMITS = Limits(max_file_bytes=10**8, max_members=10, max_total_bytes=10**8, max_ratio=100)


def parsed(folder: Path, count: int = ADVISORIES, seed: int = SEED) -> Parsed:
    folder.mkdir()
    for name, report in reports(count, seed).items():
        write_json(folder / name, report)
    return parse_paths([folder], LIMITS)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """Both stages' data sets, built by the project's own builders."""
    home = tmp_path_factory.mktemp("learn")
    texts = (message["content"] for row in wording_rows(40, WORDING_SEED) for message in row["messages"])
    build_tokenizer(texts, 700).save_pretrained(home / "tokenizer")
    for name in ("crossvul", "cvefixes"):
        (home / name).mkdir()
    write_jsonl(home / "crossvul" / "train.jsonl", crossvul_rows(ROWS, SEED))
    write_jsonl(home / "cvefixes" / "train.jsonl", cvefixes_rows(ROWS, SEED))
    write_jsonl(home / "findings.jsonl", (each.to_json() for each in parsed(home / "reports").findings))
    shared: dict[str, Any] = {
        "tokenizer": home / "tokenizer",
        "max_seq_length": 1024,
        "seed": SEED,
        "valid_fraction": 0.1,
        "test_fraction": 0.1,
        "quality_weight_multiplier": 1.0,
    }
    sources = tuple(Source(name, str(home / name)) for name in ("crossvul", "cvefixes"))
    first = build_stage1(
        Stage1Request(out=home / "stage1", context_lines=3, sources=sources, **shared), lambda *_: None
    )
    second = build_stage2(
        Stage2Request(
            out=home / "stage2",
            findings=home / "findings.jsonl",
            replay_from=home / "stage1" / "train.jsonl",
            replay_ratio=0.15,
            domain="webauthn",
            **shared,
        ),
        lambda *_: None,
    )
    return home, first, second


@pytest.mark.parametrize("make", [crossvul_rows, cvefixes_rows, corpus_rows])
def test_the_same_seed_gives_the_same_rows_and_another_seed_others(make: Any) -> None:
    assert list(make(8, 1)) == list(make(8, 1))
    assert all(one != other for one, other in zip(make(8, 1), make(8, 2), strict=True))


def test_the_same_seed_gives_the_same_reports_and_another_seed_others() -> None:
    assert reports(8, 1) == reports(8, 1)
    assert reports(8, 1) != reports(8, 2)


@pytest.mark.slow
def test_another_process_makes_the_same_data() -> None:
    script = (
        "import json; from benchmarks.learn import pretraining_corpus, public_rows, reports, wording;"
        "print(json.dumps([[*pretraining_corpus.corpus_rows(60, 1)],"
        " [*pretraining_corpus.copying_rows(20, 1)],"
        " [*wording.wording_rows(9, 1)],"
        " [*public_rows.crossvul_rows(20, 1)], [*public_rows.cvefixes_rows(20, 1)], reports.reports(20, 1)]))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]


def test_more_rows_change_no_row_before_them() -> None:
    assert list(crossvul_rows(9, 1))[:5] == list(crossvul_rows(5, 1))


@pytest.mark.slow
def test_rows_have_the_true_columns() -> None:
    assert all(list(row) == list(next(demo_crossvul())) for row in crossvul_rows(5, 1))
    assert all(tuple(row) == COLUMNS for row in cvefixes_rows(5, 1))


@given(st.integers(), st.sampled_from(flaws()))
def test_a_fix_changes_something_and_parses_no_worse_than_the_flaw(seed: int, flaw: Any) -> None:
    file = make_file(flaw, random.Random(seed))
    before, after = faults(file.before, flaw.language), faults(file.after, flaw.language)
    assert file.before != file.after
    assert before == after == 0


@given(st.integers())
def test_a_fixed_version_is_above_the_installed_one(seed: int) -> None:
    names = Names(random.Random(seed))
    installed = names.version()
    assert names.above(installed) > installed


@pytest.mark.slow
def test_every_row_becomes_an_example_of_stage_1(built: Any) -> None:
    _, first, _ = built
    assert first["total_examples"] == 2 * ROWS
    assert first["dropped"] == {}


@pytest.mark.slow
def test_every_report_is_parsed_and_every_finding_has_a_fix_that_is_learned(
    tmp_path: Path, built: Any
) -> None:
    found = parsed(tmp_path / "reports")
    assert Counter((each.tool, each.verdict) for each in found.files) == {
        ("trivy", "parsed"): 1,
        ("osv", "parsed"): 1,
    }
    assert len(found.findings) == ADVISORIES
    assert [refusal_of(finding) for finding in found.findings] == [None] * ADVISORIES
    _, _, second = built
    assert second["total_examples"] == ADVISORIES
    assert second["dropped"] == {}


def test_the_answer_is_the_first_fixed_version_of_the_advisory(tmp_path: Path) -> None:
    chosen = {each.rule: each.fix.version for each in parsed(tmp_path / "reports").findings}
    assert chosen == {each.identifier: each.fixed[0] for each in advisories(ADVISORIES, SEED)}


def test_packages_of_every_kind_stand_in_the_reports() -> None:
    assert {each.kind for each in advisories(ADVISORIES, SEED)} == set(KINDS)


def test_nothing_leaks_between_parts_and_stages(built: Any) -> None:
    _, first, second = built
    assert first["leakage"]["leaks"] == second["leakage"]["leaks"] == 0
    assert second["leakage"]["across_stages"]["leaks"] == 0


def test_no_package_and_no_advisory_stands_in_two_parts(built: Any) -> None:
    home = built[0]
    for key in ("package", "rule"):
        seen = [
            {row["metadata"].get(key) for row in read_jsonl(home / "stage2" / f"{part}.jsonl")} - {None}
            for part in ("train", "valid", "test")
        ]
        assert all(seen)
        assert len(set.union(*seen)) == sum(map(len, seen))


def test_what_the_base_model_learns_from_asks_nothing_that_the_stages_ask(built: Any) -> None:
    home = built[0]
    corpus = list(corpus_rows(400, CORPUS_SEED))
    told = [row["messages"][1]["content"].split("```")[0] for row in corpus]
    asked = {word for text in told for word in re.findall(r"^[A-Z]\w+(?= .*\.$)", text, re.MULTILINE)}
    assert {row["messages"][0]["content"] for row in corpus} == {CORPUS_SYSTEM}
    assert asked == {"Copy", "Replace"}
    for stage in ("stage1", "stage2"):
        rows = list(read_jsonl(home / stage / "test.jsonl"))
        assert {row["messages"][0]["content"] for row in rows} == {SYSTEM}
        assert not {row["messages"][2]["content"] for row in rows} & {
            row["messages"][2]["content"] for row in corpus
        }


@pytest.mark.slow
def test_the_tokenizer_learns_from_no_package_of_the_reports() -> None:
    told = {each.package for each in advisories(900, SEED)}
    texts = [row["messages"][1]["content"] for row in wording_rows(1500, WORDING_SEED, told)]
    named = {line.split()[1] for text in texts for line in text.split("\n") if line.startswith("Package: ")}
    assert len(named) > 1400
    assert not told & named


def test_the_scene_writes_its_data_and_settings_that_hold(tmp_path: Path) -> None:
    scene = Learning(tmp_path, None, 0.005)
    rows = scene.write_data()
    scene.write_settings()
    settings = load(scene.config, {}).settings
    assert (rows["crossvul/train"], rows["cvefixes/train"], rows["primer"]) == (7, 5, 8 + 32)
    assert settings.gates.stage2_exact_match == 70
    assert settings.gates.retention == 90
    assert sorted(path.name for path in scene.drop_delivery().iterdir()) == ["osv.json", "trivy.json"]
