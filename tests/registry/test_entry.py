from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.errors import OperatorError
from jobs.fs import copy
from jobs.fs.files import FileLock
from jobs.registry import entry, writing
from jobs.registry.entry import Certification, certify
from jobs.registry.name import data_hash, parse_name, weights_hash
from jobs.registry.verify import verify

Finished = Callable[..., Certification]


def visible(registry: Path) -> list[str]:
    return sorted(path.name for path in registry.iterdir() if path.name != writing.LOCK_NAME)


def test_an_entry_holds_the_model_its_adapters_its_data_and_its_evaluation(
    registry: Path, finished: Finished
) -> None:
    made = certify(registry, finished())
    held = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    per_stage = {
        f"{folder}/{stage}/{name}"
        for stage in ("stage1", "stage2")
        for folder, names in (
            ("adapters", ["adapters.safetensors", "adapter_config.json", "training_metadata.json"]),
            ("training-data", ["train.jsonl", "valid.jsonl", "test.jsonl"]),
            ("evaluation", ["evaluation_results.json"]),
        )
        for name in names
    }
    model = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
    assert held == per_stage | model | {"README.md", "metadata.json"}
    assert visible(registry) == [made.name]


def test_the_name_can_be_computed_again_from_the_files(registry: Path, finished: Finished) -> None:
    made = certify(registry, finished())
    name = parse_name(made.name)
    assert str(replace(name, data_hash=data_hash(made), weights_hash=weights_hash(made))) == made.name
    assert verify(made) == []


def test_metadata_holds_a_hash_for_every_file_and_null_for_what_is_not_known(
    registry: Path, finished: Finished
) -> None:
    made = certify(registry, finished())
    metadata = json.loads((made / "metadata.json").read_text())
    others = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert set(metadata["files"]) == others - {"metadata.json"}
    assert metadata["name"] == made.name
    assert metadata["base_model_sha256"] is None
    assert metadata["duration_seconds"] is None
    assert metadata["hashes"]["weights"].startswith(parse_name(made.name).weights_hash)
    assert [link["stage"] for link in metadata["adapters"]] == ["stage1", "stage2"]
    assert made.name in (made / "README.md").read_text()


def test_an_edit_of_the_run_never_reaches_the_entry(registry: Path, finished: Finished) -> None:
    request = finished()
    made = certify(registry, request)
    source = request.final_model / "config.json"
    with source.open("r+b") as stream:
        stream.write(b"XX")
    assert os.stat(source).st_ino != os.stat(made / "config.json").st_ino  # noqa: PTH116
    assert verify(made) == []


def test_a_linked_weight_file_becomes_a_file_of_the_entry(registry: Path, finished: Finished) -> None:
    request = finished()
    weights = request.final_model / "model.safetensors"
    elsewhere = weights.rename(request.final_model.parent / "blob")
    weights.symlink_to(elsewhere)
    made = certify(registry, request)
    assert not (made / "model.safetensors").is_symlink()
    assert verify(made) == []


def test_certifying_twice_gives_the_same_entry_untouched(registry: Path, finished: Finished) -> None:
    first = certify(registry, finished())
    before = (first / "metadata.json").read_bytes()
    assert certify(registry, finished()) == first
    assert (first / "metadata.json").read_bytes() == before
    assert visible(registry) == [first.name]


def test_other_weights_make_another_entry(registry: Path, finished: Finished) -> None:
    first, second = certify(registry, finished(1)), certify(registry, finished(2))
    assert parse_name(first.name).weights_hash != parse_name(second.name).weights_hash
    assert parse_name(first.name).data_hash == parse_name(second.name).data_hash


def test_a_damaged_entry_of_the_same_name_is_reported_not_replaced(
    registry: Path, finished: Finished
) -> None:
    made = certify(registry, finished())
    (made / "config.json").write_text("changed")
    with pytest.raises(OperatorError, match="damaged"):
        certify(registry, finished())
    assert (made / "config.json").read_text() == "changed"
    assert visible(registry) == [made.name]


@pytest.mark.parametrize(
    "missing",
    [
        "final-model/config.json",
        "final-model/model.safetensors",
        "stage2/adapters/adapter_config.json",
        "stage1/evaluation/evaluation_results.json",
    ],
)
def test_a_missing_file_stops_certifying_and_leaves_nothing_behind(
    registry: Path, finished: Finished, missing: str
) -> None:
    request = finished()
    (request.final_model.parent / missing).unlink()
    with pytest.raises(OperatorError, match=Path(missing).name.split(".")[-1]):
        certify(registry, request)
    assert visible(registry) == []


def test_a_stage_without_training_data_cannot_be_certified(registry: Path, finished: Finished) -> None:
    request = finished()
    for path in request.training_data["stage2"].iterdir():
        path.unlink()
    with pytest.raises(OperatorError, match="no training data"):
        certify(registry, request)


def test_a_fact_without_a_place_in_the_metadata_is_a_mistake_of_the_caller(
    registry: Path, finished: Finished
) -> None:
    with pytest.raises(ValueError, match="duration_minutes"):
        certify(registry, finished(metadata={"duration_minutes": 3}))


def test_a_full_disk_leaves_the_registry_as_it_was(
    registry: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(entry, "copy_file", full)
    with pytest.raises(OSError, match="No space"):
        certify(registry, finished())
    assert visible(registry) == []


def test_what_a_killed_writer_left_is_swept_away(registry: Path, finished: Finished) -> None:
    leftover = registry / f"{writing.UNFINISHED}dead"
    leftover.mkdir(parents=True)
    (leftover / "model.safetensors").write_bytes(b"half")
    made = certify(registry, finished())
    assert visible(registry) == [made.name]


def test_a_writer_waits_for_the_other_and_says_so_when_it_gives_up(registry: Path) -> None:
    registry.mkdir()
    with (
        FileLock(registry / writing.LOCK_NAME, "process 4711"),
        pytest.raises(OperatorError, match="4711"),
        writing.writing(registry, patience=0.1),
    ):
        pytest.fail("the lock was given twice")


def test_a_failed_copy_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "source").write_bytes(b"all of it")
    monkeypatch.setattr(copy, "_clone_on_linux", lambda *_: False)
    monkeypatch.setattr(copy.shutil, "copyfileobj", broken)
    with pytest.raises(OSError, match="Input/output"):
        copy.copy_file(tmp_path / "source", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_copy_never_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "target").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        copy.copy_file(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == b"old"
