"""Pulling a base model, from a local folder here: no network is asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.errors import NetworkError, OperatorError
from jobs.fs import files
from jobs.mlx.requests import PullingRequest
from jobs.runs.validation import check_full_model

pytestmark = pytest.mark.slow
RunChild = Callable[[str, Path, PullingRequest], dict[str, Any]]


def request(source: str, target: Path, bits: int | None = 4) -> PullingRequest:
    return PullingRequest(source=source, revision=None, target=target, bits=bits, group_size=32)


def test_a_pulled_model_is_quantised_complete_and_loads(
    tiny_model: Path, run_child: RunChild, tmp_path: Path
) -> None:
    result = run_child("jobs.mlx.pull", tmp_path / "work", request(str(tiny_model), tmp_path / "base" / "q4"))
    folder = Path(result["target"])
    assert [check for check in check_full_model(folder) if not check.passed] == []
    assert files.read_json(folder / "config.json")["quantization"] == {
        "group_size": 32,
        "bits": 4,
        "mode": "affine",
    }
    assert result["bytes"] > 0


def test_a_model_without_a_chat_template_is_refused_and_leaves_nothing(
    tiny_model: Path, run_child: RunChild, tmp_path: Path
) -> None:
    mute = tmp_path / "mute"
    shutil.copytree(tiny_model, mute)
    (mute / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((mute / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (mute / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(OperatorError, match="no chat template"):
        run_child("jobs.mlx.pull", tmp_path / "work", request(str(mute), tmp_path / "base" / "mute", None))
    assert not (tmp_path / "base" / "mute").exists()


def test_a_hub_that_is_out_of_reach_says_so_and_what_to_do(
    run_child: RunChild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NetworkError, match="nobody/no-such-model") as caught:
        run_child(
            "jobs.mlx.pull", tmp_path / "work", request("nobody/no-such-model", tmp_path / "base" / "x")
        )
    assert "by hand" in caught.value.remedy
