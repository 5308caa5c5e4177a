"""`sectune evaluate` with a real model, without a daemon."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from daemon import cli
from jobs.children import parent
from jobs.children.task import Task
from jobs.evaluation import answering
from jobs.fs import files

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def state(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert settings.paths.state_dir is not None
    for name in ("inbox", "models_dir", "state_dir"):
        monkeypatch.setenv(f"SECTUNE__PATHS__{name.upper()}", str(getattr(settings.paths, name)))
    monkeypatch.setenv("SECTUNE__EVALUATION__EXTRA_TOKENS", "2")
    return settings.paths.state_dir


@pytest.fixture
def evaluate(state: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    def call(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sectune", "evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capsys.readouterr()
        return int(end.value.code or 0), told.out, told.err

    return call


@pytest.mark.slow
def test_a_models_figures_are_printed_and_kept_with_every_case(
    evaluate: Call, tiny_model: Path, data: Path
) -> None:
    code, out, _ = evaluate(tiny_model, "--data", data / "test.jsonl", "--max-cases", "3", "--json")
    assert code == 0
    told: dict[str, Any] = json.loads(out)
    assert told["sample"] == {"cases": 3, "all_cases": 4, "seed": 42}
    assert told["models"]["model"]["total_examples"] == 3
    kept = files.read_json(Path(told["results"]))
    assert kept["metrics"] == told["metrics"]
    assert len(kept["detailed_results"]) == 3
    code, out, err = evaluate(tiny_model, "--data", data / "test.jsonl")
    assert (code, "model" in out, "seed" in err) == (0, True, False)


@pytest.mark.slow
def test_a_busy_device_is_said_and_nothing_is_started(
    evaluate: Call, state: Path, tiny_model: Path, data: Path
) -> None:
    with files.FileLock(files.private_folder(state) / "device.lock", "pid 4711 run abc"):
        code, out, err = evaluate(tiny_model, "--data", data / "test.jsonl")
    assert (code, out) == (75, "")
    assert "pid 4711 run abc" in err


def test_what_is_no_run_no_model_and_no_folder_exits_4(evaluate: Call, data: Path) -> None:
    code, _, err = evaluate("nothing-like-it", "--data", data / "test.jsonl")
    assert code == 4
    assert "no run, no certified model and no folder" in err


@pytest.mark.slow
def test_a_file_without_examples_is_refused(evaluate: Call, tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    code, _, err = evaluate(tiny_model, "--data", tmp_path / "empty.jsonl")
    assert (code, "holds no examples" in err) == (1, True)


def test_a_run_is_asked_with_its_base_model_and_each_adapter_that_is_there(
    evaluate: Call,
    make_run: Callable[..., Any],
    settings: Settings,
    tiny_model: Path,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = make_run()
    base = settings.paths.models_dir / "base" / settings.base_model.name
    base.parent.mkdir(parents=True, exist_ok=True)
    base.symlink_to(tiny_model)
    code, _, err = evaluate(run.run_id, "--data", data / "test.jsonl")
    assert (code, "has no adapter yet" in err) == (1, True)
    run.folder.stage1.adapters.mkdir(parents=True)
    run.folder.stage1.adapter_file.write_bytes(b"weights")
    asked: list[dict[str, Any]] = []

    def answer(task: Task, *_: Any) -> dict[str, Any]:
        asked.append(task.payload_json)
        assert task.module == answering.MODULE
        assert task.device_lock is not None
        labels = [model["label"] for model in task.payload_json["models"]]
        lines = [
            {"model": label, "index": 0, "text": "x", "tokens": 1, "truncated": False} for label in labels
        ]
        files.write_jsonl(Path(files.private_folder(task.work)) / "answers.jsonl", lines)
        return {}

    monkeypatch.setattr(parent, "drive", answer)
    code, out, _ = evaluate(run.run_id, "--data", data / "test.jsonl", "--json")
    assert code == 0
    assert [model["label"] for model in asked[0]["models"]] == ["base", "stage1"]
    assert asked[0]["models"][1]["sha256"] == files.sha256_file(run.folder.stage1.adapter_file)
    assert json.loads(out)["main_model"] == "stage1"
