"""Folder kinds are contracts: what does not belong, what is missing and what is torn is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.runs.validation import (
    Check,
    check_adapters,
    check_full_model,
    check_training_data,
    read_safetensors_header,
)

Fill = Callable[..., Path]


def failures(checks: list[Check]) -> str:
    return "; ".join(check.detail for check in checks if not check.passed)


def test_a_good_adapter_folder_passes_with_its_checkpoints(
    adapter_folder: Fill, write_safetensors: Fill, tmp_path: Path
) -> None:
    adapter_folder(tmp_path, iters=5, lora_parameters={"rank": 8, "keys": ["b", "a"]})
    write_safetensors(tmp_path / "0000100_adapters.safetensors", "l.lora_a")
    asked = {"iters": 5, "lora_parameters": {"rank": 8, "keys": ["a", "b"]}}
    assert failures(check_adapters(tmp_path, asked)) == ""


def test_a_full_model_in_an_adapter_folder_is_refused(
    adapter_folder: Fill, full_model: Fill, tmp_path: Path
) -> None:
    full_model(adapter_folder(tmp_path))
    assert "model.safetensors" in failures(check_adapters(tmp_path, {}))


def test_full_weights_under_the_adapters_name_are_refused(
    adapter_folder: Fill, write_safetensors: Fill, tmp_path: Path
) -> None:
    write_safetensors(adapter_folder(tmp_path) / "adapters.safetensors", "model.embed_tokens.weight")
    assert "other tensors: ['model.embed_tokens.weight']" in failures(check_adapters(tmp_path, {}))


def test_a_full_training_leaves_weights_and_no_adapter(
    adapter_folder: Fill, write_safetensors: Fill, tmp_path: Path
) -> None:
    adapter_folder(tmp_path, fine_tune_type="full")
    assert "other tensors: ['l.q_proj.lora_a'" in failures(check_adapters(tmp_path, {}))
    write_safetensors(tmp_path / "adapters.safetensors", "model.embed_tokens.weight")
    assert failures(check_adapters(tmp_path, {"fine_tune_type": "full"})) == ""


def test_a_dora_adapter_has_magnitudes_besides(
    adapter_folder: Fill, write_safetensors: Fill, tmp_path: Path
) -> None:
    adapter_folder(tmp_path, fine_tune_type="dora")
    write_safetensors(tmp_path / "adapters.safetensors", "l.q.lora_a", "l.q.lora_b", "l.q.m")
    assert failures(check_adapters(tmp_path, {"fine_tune_type": "dora"})) == ""


def test_adapters_in_a_model_folder_are_refused(
    adapter_folder: Fill, full_model: Fill, tmp_path: Path
) -> None:
    assert failures(check_full_model(full_model(tmp_path))) == ""
    adapter_folder(tmp_path)
    assert "adapters beside a full model" in failures(check_full_model(tmp_path))


def test_an_adapter_under_the_models_name_is_refused(
    full_model: Fill, write_safetensors: Fill, tmp_path: Path
) -> None:
    write_safetensors(full_model(tmp_path) / "model.safetensors", "l.q_proj.lora_a", "l.q_proj.lora_b")
    assert "holds LoRA tensors" in failures(check_full_model(tmp_path))


@pytest.mark.parametrize("name", ["adapters.safetensors", "adapter_config.json", "training_metadata.json"])
def test_a_missing_or_empty_adapter_file_is_named(adapter_folder: Fill, tmp_path: Path, name: str) -> None:
    (adapter_folder(tmp_path) / name).write_bytes(b"")
    assert f"{name} has 0 bytes" in failures(check_adapters(tmp_path, {}))
    (tmp_path / name).unlink()
    assert f"{name} is missing" in failures(check_adapters(tmp_path, {}))


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors"]
)
def test_an_incomplete_model_says_what_is_missing(full_model: Fill, tmp_path: Path, name: str) -> None:
    (full_model(tmp_path) / name).unlink()
    assert failures(check_full_model(tmp_path)) != ""
    assert failures(check_full_model(tmp_path / "absent")) != ""


def test_a_missing_shard_is_named(full_model: Fill, tmp_path: Path) -> None:
    index = full_model(tmp_path) / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}')
    assert "model-00002-of-00002.safetensors" in failures(check_full_model(tmp_path))


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "model.safetensors.index.json"])
@pytest.mark.parametrize("text", ["{", "[1]"])
def test_torn_json_in_a_model_is_a_finding_and_no_crash(
    full_model: Fill, tmp_path: Path, name: str, text: str
) -> None:
    (full_model(tmp_path) / name).write_text(text)
    assert name in failures(check_full_model(tmp_path))


def test_torn_json_in_an_adapter_is_a_finding_and_no_crash(adapter_folder: Fill, tmp_path: Path) -> None:
    (adapter_folder(tmp_path) / "adapter_config.json").write_text("{")
    found = failures(check_adapters(tmp_path, {"iters": 5}))
    assert "adapter_config.json is not JSON" in found
    assert "asked for 5, written None" in found


@pytest.mark.parametrize("cut", [0, 4, 8, 20, -1])
def test_a_truncated_weight_file_is_found(
    full_model: Fill, adapter_folder: Fill, tmp_path: Path, cut: int
) -> None:
    for folder, name, check in (
        (full_model(tmp_path / "model"), "model.safetensors", check_full_model),
        (adapter_folder(tmp_path / "adapter"), "adapters.safetensors", lambda path: check_adapters(path, {})),
    ):
        path = folder / name
        path.write_bytes(path.read_bytes()[:cut])
        assert name in failures(check(folder))


def test_a_weight_file_with_more_than_it_promises_is_found(full_model: Fill, tmp_path: Path) -> None:
    with (full_model(tmp_path) / "model.safetensors").open("ab") as stream:
        stream.write(b"xxxx")
    assert "where its header promises" in failures(check_full_model(tmp_path))


@given(
    st.binary(max_size=64),
    st.sampled_from([b"", b"\x02\0\0\0\0\0\0\0{}", b'\x1f\0\0\0\0\0\0\0{"a":{"data_offsets":[1]}}     ']),
)
def test_any_bytes_are_judged_and_none_crashes_the_judge(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, start: bytes
) -> None:
    folder = tmp_path_factory.mktemp("model")
    (folder / "model.safetensors").write_bytes(start + data)
    assert "model.safetensors" in failures(check_full_model(folder))


@pytest.mark.parametrize(
    ("asked", "written", "same"),
    [
        (2e-5, 1.9999999e-05, True),
        (2e-5, 2.1e-5, False),
        (0.0, 0.0, True),
        (0.0, 1e-9, False),
        (True, False, False),
        (8, None, False),
        ({"rank": 8}, {"rank": 16}, False),
        ({"rank": 8}, {"rank": 8, "more": 1}, True),
        ({"rank": 8}, 8, False),
        (["a", "b"], ["b", "a"], True),
        (["a", "b"], ["a"], False),
    ],
)
def test_a_setting_that_did_not_arrive_is_named(
    adapter_folder: Fill, tmp_path: Path, asked: Any, written: Any, same: bool
) -> None:
    adapter_folder(tmp_path, wanted=written)
    found = failures(check_adapters(tmp_path, {"wanted": asked}))
    assert found == ("" if same else f"asked for {asked!r}, written {written!r}")


def test_training_data_holds_its_three_parts_and_nothing_else(tmp_path: Path) -> None:
    for name in ("train", "valid", "test"):
        (tmp_path / f"{name}.jsonl").write_text("{}\n" if name == "train" else "")
    assert failures(check_training_data(tmp_path)) == ""
    (tmp_path / "model.safetensors").write_text("x")
    assert "model.safetensors" in failures(check_training_data(tmp_path))
    (tmp_path / "train.jsonl").write_text("")
    assert "train.jsonl has 0 bytes" in failures(check_training_data(tmp_path))
    assert failures(check_training_data(tmp_path / "absent")) != ""


def test_a_header_names_every_tensor(write_safetensors: Fill, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "a.safetensors", "one", "two")
    assert set(read_safetensors_header(path)) == {"one", "two"}
