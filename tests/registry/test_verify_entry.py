from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.registry import verify as verify_module
from jobs.registry.entry import Certification, certify
from jobs.registry.verify import verify

Finished = Callable[..., Certification]


@pytest.fixture
def made(registry: Path, finished: Finished) -> Path:
    return certify(registry, finished())


@pytest.mark.parametrize(
    "path", ["config.json", "training-data/stage2/valid.jsonl", "adapters/stage1/adapter_config.json"]
)
def test_a_changed_file_is_found(made: Path, path: str) -> None:
    content = (made / path).read_bytes()
    (made / path).write_bytes(content[:-1] + b" ")
    assert any(path in problem and "another content" in problem for problem in verify(made))


def test_changed_weights_do_not_carry_the_name_any_more(made: Path) -> None:
    weights = made / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert any("computed from the files" in problem for problem in verify(made))


def test_a_truncated_weight_file_is_found_by_its_header(made: Path) -> None:
    weights = made / "adapters" / "stage2" / "adapters.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    assert any("no readable safetensors" in problem for problem in verify(made))


def test_missing_and_extra_files_are_found(made: Path) -> None:
    (made / "tokenizer.json").unlink()
    (made / "stray.txt").write_text("?")
    assert verify(made) == ["tokenizer.json is missing", "stray.txt is not in metadata.json"]


def test_a_link_to_the_same_content_is_no_self_contained_entry(made: Path, tmp_path: Path) -> None:
    (made / "config.json").rename(tmp_path / "config.json")
    (made / "config.json").symlink_to(tmp_path / "config.json")
    assert any("regular file" in problem for problem in verify(made))


def test_a_link_to_nowhere_is_told_of_and_does_not_break_the_check(made: Path) -> None:
    (made / "model.safetensors").unlink()
    (made / "model.safetensors").symlink_to("nowhere")
    assert any("model.safetensors is not a regular file" in problem for problem in verify(made))


def test_a_file_that_cannot_be_read_is_a_problem_not_a_crash(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Path) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(verify_module, "sha256_file", refused)
    assert verify(made) == ["a file cannot be read: [Errno 13] Permission denied"]


def test_a_renamed_entry_is_found(made: Path) -> None:
    moved = made.rename(made.with_name(made.name.replace(".v1.0.", ".v2.0.")))
    problems = verify(moved)
    assert any("speaks of" in problem for problem in problems)
    assert any("other parts" in problem for problem in problems)


@pytest.mark.parametrize("text", ["", "[]", '{"files": []}', "{"])
def test_unreadable_metadata_is_a_problem_not_a_crash(made: Path, text: str) -> None:
    (made / "metadata.json").write_text(text)
    assert "metadata.json cannot be read" in verify(made)[0]


@pytest.mark.parametrize("stated", ["../../escape", "/etc/hosts"])
def test_metadata_cannot_lead_out_of_the_entry(made: Path, stated: str) -> None:
    path = made / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["files"][stated] = {"sha256": "0" * 64, "bytes": 1}
    path.write_text(json.dumps(metadata))
    assert verify(made) == [f"{stated} is missing"]


def test_what_finder_leaves_in_a_folder_is_no_problem(made: Path) -> None:
    (made / ".DS_Store").write_bytes(b"\0")
    assert verify(made) == []


def test_an_entry_is_verified_through_a_link(made: Path) -> None:
    link = made.parent / "CURRENT"
    link.symlink_to(made.name)
    assert verify(link) == []


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    assert verify(tmp_path / "nothing") == ["there is no such folder"]
