"""Loading: the same rows from JSON lines and parquet, and plain words where there are none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.datasets.examples.drop_reasons import Drops
from jobs.datasets.public import sources
from jobs.datasets.public.rows import data_files, local_path, rows
from jobs.datasets.public.source import Source
from jobs.errors import NetworkError, OperatorError


def read(source: Source, cache: Path) -> tuple[list[dict[str, Any]], dict[str, int]]:
    drops = Drops()
    return list(rows(source, cache / "cache", drops, sources.load(source.name).read_columns)), drops.to_json()


def write_parquet(path: Path, values: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(values), path)


@pytest.mark.slow
def test_shards_of_parquet_and_of_json_lines_give_the_same_rows(
    tmp_path: Path, made: SimpleNamespace
) -> None:
    values = [made.cvefixes_row(number, cwe_id=None if number < 3 else "CWE-89") for number in range(6)]
    write_parquet(tmp_path / "p/data/train-00000-of-00002.parquet", values[:3])
    write_parquet(tmp_path / "p/data/train-00001-of-00002.parquet", values[3:])
    made.write_lines(tmp_path / "j/train-1.jsonl", values[:3])
    made.write_lines(tmp_path / "j/train-2.jsonl", values[3:])
    made.write_lines(tmp_path / "one.jsonl", values)
    columns = sources.load("cvefixes").read_columns
    assert not {"vulnerable_code", "fixed_code"} & columns  # the largest fields of the set, and of no use
    wanted = [{name: row[name] for name in row if name in columns} for row in values]
    for location in ("p", "j", "one.jsonl"):
        assert read(Source("cvefixes", str(tmp_path / location)), tmp_path) == (wanted, {})


def test_only_the_train_split_of_a_folder_is_read(tmp_path: Path) -> None:
    for name in ("train.jsonl", "valid.jsonl", "notes.txt"):
        (tmp_path / name).write_text("{}\n")
    assert data_files(tmp_path) == [tmp_path / "train.jsonl"]


def test_no_more_rows_than_asked_for_are_read(tmp_path: Path, made: SimpleNamespace) -> None:
    made.write_lines(tmp_path / "train.jsonl", [made.crossvul_row(number) for number in range(5)])
    assert len(read(Source("crossvul", str(tmp_path), max_rows=2), tmp_path)[0]) == 2


def test_one_bad_line_costs_itself_and_not_the_file(tmp_path: Path, made: SimpleNamespace) -> None:
    path = made.write_lines(tmp_path / "train.jsonl", [made.crossvul_row(1)])
    path.write_text('{"torn": \n[1]\n\n' + path.read_text() + '{"cut": "of')
    found, dropped = read(Source("crossvul", str(tmp_path)), tmp_path)
    assert [row["file_pair_id"] for row in found] == ["1_0"]
    assert dropped == {"malformed_row": 3}


def test_a_hub_id_is_told_from_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert local_path("owner/name") is None
    assert local_path("./name") == Path("name")
    assert local_path("some/deeper/folder") == Path("some/deeper/folder")
    assert local_path("data/train.jsonl") == Path("data/train.jsonl")
    (tmp_path / "owner/name").mkdir(parents=True)
    assert local_path("owner/name") == Path("owner/name")


def test_a_folder_that_is_not_there_or_empty_names_the_setting(tmp_path: Path) -> None:
    for location in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(OperatorError, match=r"datasets\.sources\.crossvul\.source"):
            read(Source("crossvul", str(location)), tmp_path)


@pytest.mark.slow
def test_a_broken_parquet_file_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 no table PAR1")
    with pytest.raises(OperatorError, match=r"datasets\.sources\.cvefixes\.source"):
        read(Source("cvefixes", str(tmp_path)), tmp_path)


def test_a_hub_that_does_not_answer_is_tried_again_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    def unreachable(*_args: Any, **_options: Any) -> None:
        raise ConnectionError("Couldn't reach it")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(NetworkError, match=r"owner/name at abc.*datasets\.sources\.cvefixes\.source"):
        read(Source("cvefixes", "owner/name", "abc"), tmp_path)


def test_a_hub_in_offline_mode_is_the_operator_s_to_mend(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(OperatorError, match=r"datasets\.sources\.cvefixes\.source"):
        read(Source("cvefixes", "owner/name"), tmp_path)


def test_a_hub_data_set_of_parquet_is_read_in_the_columns_that_are_needed(
    tmp_path: Path, made: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    values = [made.crossvul_row(number) for number in range(40)]
    write_parquet(tmp_path / "train.parquet", values)
    asked: list[dict[str, Any]] = []
    original = datasets.load_dataset

    def from_the_hub(path: str, **options: Any) -> Any:
        assert (path, options.pop("revision")) == ("owner/name", "abc")
        asked.append(options)
        return original("parquet", data_files={"train": [str(tmp_path / "train.parquet")]}, **options)

    monkeypatch.setattr(datasets, "load_dataset", from_the_hub)
    found, dropped = read(Source("crossvul", "owner/name", "abc"), tmp_path)
    columns = sources.load("crossvul").read_columns
    assert found == [{name: row[name] for name in row if name in columns} for row in values]
    assert dropped == {}
    assert set(asked[-1]["columns"]) == columns & set(values[0])
    assert asked[-1]["batch_size"] < 100
