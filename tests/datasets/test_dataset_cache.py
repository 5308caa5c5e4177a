"""The cache: the second build is a copy, and no build is ever answered by another one's."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from jobs.datasets import cache
from jobs.datasets.build import build_stage1, build_stage2
from jobs.datasets.public.source import Source
from jobs.datasets.request import Stage1Request, Stage2Request
from jobs.fs import files

Stage1 = Callable[..., Stage1Request]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def request_with_cache(stage1: Stage1, made: SimpleNamespace, tmp_path: Path) -> Stage1Request:
    return stage1([made.crossvul_row(n) for n in range(12)], [], cache=tmp_path / "cache")


@pytest.mark.slow
def test_the_second_build_reads_the_first_one_s(
    request_with_cache: Stage1Request, made: SimpleNamespace, tmp_path: Path
) -> None:
    first = build_stage1(request_with_cache, made.silent)
    again = msgspec.structs.replace(request_with_cache, out=tmp_path / "elsewhere" / "training-data")
    phases: list[str] = []
    second = build_stage1(again, lambda phase, _done, _total: phases.append(phase))
    assert (first["cache"]["hit"], second["cache"]["hit"]) == (False, True)
    assert phases == []
    assert content(again.out) == content(request_with_cache.out)
    assert {**second, "cache": None} == {**first, "cache": None}
    (again.out / "train.jsonl").write_text("spoilt by its owner")
    assert build_stage1(request_with_cache, made.silent)["cache"]["hit"]


@pytest.mark.slow
def test_a_spoilt_entry_is_built_again(request_with_cache: Stage1Request, made: SimpleNamespace) -> None:
    key = build_stage1(request_with_cache, made.silent)["cache"]["key"]
    good = content(request_with_cache.out)
    entry = request_with_cache.cache / key if request_with_cache.cache else Path()
    for spoil in (
        lambda: (entry / "valid.jsonl").write_text("{}\n"),
        lambda: (entry / "valid.jsonl").unlink(),
        lambda: (entry / "stats.json").write_text("{"),
        lambda: (entry / "stats.json").unlink(),
    ):
        spoil()
        assert build_stage1(request_with_cache, made.silent)["cache"] == {"hit": False, "key": key}
        assert content(request_with_cache.out) == good
        assert build_stage1(request_with_cache, made.silent)["cache"]["hit"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"max_seq_length": 1024},
        {"valid_fraction": 0.2},
        {"test_fraction": 0.2},
        {"quality_weight_multiplier": 1.0},
        {"context_lines": 2},
        {"augmentation": 1},
    ],
)
def test_every_setting_has_a_key_of_its_own(
    request_with_cache: Stage1Request, change: dict[str, Any]
) -> None:
    assert cache.key_of(msgspec.structs.replace(request_with_cache, **change)) != cache.key_of(
        request_with_cache
    )


@pytest.mark.slow
def test_a_changed_row_tokenizer_or_line_of_code_is_no_hit(
    request_with_cache: Stage1Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [cache.key_of(request_with_cache)]
    rows = Path(request_with_cache.sources[0].location) / "train.jsonl"
    rows.write_text(rows.read_text() + "{}\n")
    keys.append(cache.key_of(request_with_cache))
    other = tmp_path / "tokenizer"
    other.mkdir()
    for path in request_with_cache.tokenizer.iterdir():
        (other / path.name).write_bytes(path.read_bytes() + b" ")
    keys.append(cache.key_of(msgspec.structs.replace(request_with_cache, tokenizer=other)))
    monkeypatch.setattr(cache, "code_version", lambda: "another")
    keys.append(cache.key_of(request_with_cache))
    assert len(set(keys)) == len(keys)
    assert None not in keys


@pytest.mark.slow
def test_the_code_version_covers_every_file_of_the_room() -> None:
    assert cache.code_version() == cache.code_version()
    assert len(cache.code_version()) == 64


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("datasets/parts/split.py", True),
        ("findings/merge/keys.py", True),
        ("grammars.py", True),
        ("clock.py", False),
        ("evaluation/metrics.py", False),
    ],
)
def test_a_changed_line_of_code_counts_where_it_decides_the_bytes(
    tmp_path: Path, name: str, counts: bool
) -> None:
    root = tmp_path / "jobs"
    shutil.copytree(Path(cache.__file__).parents[1], root, ignore=shutil.ignore_patterns("__pycache__"))
    before = cache.code_version(root)
    with (root / name).open("a", encoding="utf-8") as stream:
        stream.write("# changed\n")
    assert (cache.code_version(root) != before) is counts


@pytest.mark.slow
def test_a_hub_source_is_cached_only_where_a_commit_pins_it(request_with_cache: Stage1Request) -> None:
    commit = "d4f5c4ea65329d9ccbb8a3b3149e5d06eda5edb2"
    for revision, is_cached in ((None, False), ("main", False), (commit, True)):
        pinned = msgspec.structs.replace(
            request_with_cache, sources=(Source("cvefixes", "owner/name", revision),)
        )
        assert (cache.key_of(pinned) is not None) == is_cached


@pytest.mark.slow
def test_findings_and_stage_1_decide_stage_2_s_key(
    stage1: Stage1, stage2: Callable[..., Stage2Request], made: SimpleNamespace, tmp_path: Path
) -> None:
    first = stage1([made.crossvul_row(n) for n in range(12)], [])
    build_stage1(first, made.silent)
    findings = [made.edit_finding(n) for n in range(12)]
    request = stage2(findings, first.out / "train.jsonl", cache=tmp_path / "cache")
    assert not build_stage2(request, made.silent)["cache"]["hit"]
    assert build_stage2(request, made.silent)["cache"]["hit"]
    fewer = stage2(findings[:-1], first.out / "train.jsonl", cache=tmp_path / "cache")
    assert not build_stage2(fewer, made.silent)["cache"]["hit"]
    (first.out / "test.jsonl").write_text("")
    assert not build_stage2(fewer, made.silent)["cache"]["hit"]


@pytest.mark.slow
def test_only_the_newest_entries_stay(
    request_with_cache: Stage1Request, made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_KEPT", 2)
    keys = [
        build_stage1(msgspec.structs.replace(request_with_cache, seed=seed), made.silent)["cache"]["key"]
        for seed in (1, 2, 3)
    ]
    assert request_with_cache.cache is not None
    assert {path.name for path in request_with_cache.cache.iterdir()} == {*keys[1:], cache.LOCK}


def test_what_killed_builds_were_keeping_goes_with_the_next_one_kept(
    request_with_cache: Stage1Request, made: SimpleNamespace
) -> None:
    assert request_with_cache.cache
    draft = files.temporary_beside(request_with_cache.cache / "0123")
    draft.mkdir(parents=True)
    (draft / "train.jsonl").write_text("{}")
    key = build_stage1(request_with_cache, made.silent)["cache"]["key"]
    assert {path.name for path in request_with_cache.cache.iterdir()} == {key, cache.LOCK}


@pytest.mark.slow
def test_nobody_waits_for_another_build_that_keeps_its_own(
    request_with_cache: Stage1Request, made: SimpleNamespace
) -> None:
    assert request_with_cache.cache
    request_with_cache.cache.mkdir()
    with files.FileLock(request_with_cache.cache / cache.LOCK):
        first = build_stage1(request_with_cache, made.silent)
    assert (request_with_cache.out / "train.jsonl").stat().st_size > 0
    assert [path.name for path in request_with_cache.cache.iterdir()] == [cache.LOCK]
    assert build_stage1(request_with_cache, made.silent)["cache"] == first["cache"]
    assert build_stage1(request_with_cache, made.silent)["cache"]["hit"]
