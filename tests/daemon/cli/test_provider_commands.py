"""`sectune providers` and `sectune config check --provider`: what a person reads, and what a program does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.fs import files

Sectune = Callable[..., Any]


def test_the_providers_are_listed(sectune: Sectune) -> None:
    assert "lora, qlora, dora, full" in sectune("providers").out
    assert [each["provider"] for each in sectune("providers", "--json").json] == ["mlx"]


def test_a_provider_is_shown_as_a_person_reads_it(sectune: Sectune) -> None:
    out = sectune("providers", "show", "mlx").out
    for words in ("dora", "optimizer.learning_rate", "above 0", "early_stopping_patience", "polynomial"):
        assert words in out
    shown = sectune("providers", "show", "mlx", "--json").json
    assert set(shown["methods"]) == {"lora", "qlora", "dora", "full"}
    assert {each["name"] for each in shown["parameters"]} >= {"seed", "batch_tokens"}


def test_an_unknown_provider_is_not_found(sectune: Sectune) -> None:
    for words in (("providers", "show", "cloud"), ("config", "check", "--provider", "cloud")):
        answer = sectune(*words)
        assert answer.code == 4
        assert "mlx" in answer.err


def test_good_settings_pass_with_code_0(sectune: Sectune, base_model: Path) -> None:
    answer = sectune("config", "check", "--provider", "mlx")
    assert (answer.code, answer.out.strip()) == (0, "mlx would train this (errors: 0, warnings: 0).")


def test_errors_come_first_with_the_settings_names_and_code_2(
    sectune: Sectune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECTUNE__STAGE2__LEARNING_RATE", "0")
    monkeypatch.setenv("SECTUNE__TRAINING__LORA__DROPOUT", "1.0")
    answer = sectune("config", "check", "--provider", "mlx")
    first, second, third, last = answer.out.splitlines()
    assert answer.code == 2
    assert {first.split(":")[0], second.split(":")[0], third.split(":")[0]} == {"error", "warning"}
    assert "error: training.lora.dropout (stage 1 and stage 2):" in answer.out
    assert "error: stage2.learning_rate (stage 2):" in answer.out
    assert third.startswith("warning: base_model.name")  # it was not fetched yet
    assert "refuse" in last


def test_a_program_gets_the_same_as_json(
    sectune: Sectune, base_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_json(base_model / "config.json", {"quantization": {"bits": 4, "group_size": 64}})
    monkeypatch.setenv("SECTUNE__TRAINING__METHOD", "full")
    answer = sectune("config", "check", "--provider", "mlx", "--json")
    (remark,) = answer.json["remarks"]
    assert (answer.code, answer.json["errors"]) == (2, 1)
    assert (remark["level"], remark["setting"], remark["key"]) == ("error", "training.method", "method.type")
    assert remark["stages"] == [1, 2]
    assert "quantised" in remark["message"]


def test_a_value_out_of_range_is_refused_before_any_provider_is_asked(
    sectune: Sectune, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECTUNE__STAGE1__BATCH_SIZE", "65")
    answer = sectune("config", "check", "--provider", "mlx")
    assert (answer.code, answer.out) == (2, "")
    assert "stage1.batch_size" in answer.err
