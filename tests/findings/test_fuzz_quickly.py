from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def harness() -> ModuleType:
    path = Path(__file__).parents[1] / "fuzz_findings.py"
    spec = importlib.util.spec_from_file_location("fuzz_findings", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_four_hundred_mutants_raise_nothing(harness: ModuleType, tmp_path: Path) -> None:
    problems, verdicts = harness.fuzz(harness.own_reports(), range(400), tmp_path)
    assert problems == []
    assert verdicts["refused"] > 50
    assert verdicts["parsed"] + verdicts["parsed_with_warnings"] > 50


def test_a_mutant_is_the_same_every_time(harness: ModuleType) -> None:
    corpus = harness.own_reports()
    plain = [seed for seed in range(60) if harness.mutant(seed, corpus) == harness.mutant(seed, corpus)]
    assert len(plain) > 40, "only archives carry the time of their making"


def test_the_harness_fails_where_the_last_resort_had_to_catch(
    harness: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.findings.scanners import detect

    def broken(*_: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(detect, "read_json", broken)
    path = tmp_path / "input"
    path.write_text("{}")
    problem, verdict = harness.problem_with(path)
    assert verdict == "internal"
    assert "ZeroDivisionError" in problem
