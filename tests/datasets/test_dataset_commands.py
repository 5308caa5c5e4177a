"""`sectune dataset`: built in a child, without a daemon; shown as a person reads; counted as JSON too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from config.settings import Settings
from daemon import cli
from jobs.pipeline.step_table import STEP_NAMES
from jobs.runs.delivery import Delivery
from jobs.runs.store import RunStore


@dataclass
class Answer:
    code: int
    out: str
    err: str


Sectune = Callable[..., Answer]


@pytest.fixture
def sectune(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Sectune:
    for name in ("inbox", "models_dir", "state_dir"):
        monkeypatch.setenv(f"SECTUNE__PATHS__{name.upper()}", str(getattr(settings.paths, name)))

    def call(*words: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["sectune", "dataset", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return Answer(end.value.code if isinstance(end.value.code, int) else 0, captured.out, captured.err)

    return call


@pytest.fixture
def sources(tmp_path: Path, made: SimpleNamespace) -> list[str]:
    crossvul = made.write_lines(tmp_path / "crossvul/train.jsonl", [made.crossvul_row(n) for n in range(12)])
    broken = made.cvefixes_row(99, diff_with_context=None)
    rows = [*(made.cvefixes_row(n) for n in range(12)), broken]
    cvefixes = made.write_lines(tmp_path / "cvefixes/train.jsonl", rows)
    return ["--crossvul", str(crossvul.parent), "--cvefixes", str(cvefixes.parent)]


@pytest.fixture
def built(sectune: Sectune, sources: list[str], tokenizer: Path, tmp_path: Path) -> Path:
    out = tmp_path / "out" / "one"
    answer = sectune("build", "--stage", "1", *sources, "--out", out, "--tokenizer", tokenizer, "--json")
    assert answer.code == 0, answer.err
    return out


def semgrep_report(path: Path, made: SimpleNamespace, count: int) -> Path:
    results = []
    for number in range(count):
        finding = made.edit_finding(number)
        place = finding.location
        results.append(
            {
                "check_id": finding.rule,
                "path": place.path,
                "start": {"line": place.start_line, "col": place.start_column, "offset": 0},
                "end": {"line": place.end_line, "col": place.end_column, "offset": 0},
                "extra": {
                    "message": finding.message,
                    "severity": "ERROR",
                    "lines": place.snippet[1][1],
                    "fix": finding.fix.edit,
                    "metadata": {"cwe": ["CWE-327"]},
                },
            }
        )
    path.write_text(json.dumps({"version": "1.100.0", "results": results, "errors": [], "paths": {}}))
    return path


@pytest.mark.slow
def test_stage_1_is_built_without_a_daemon_and_its_numbers_are_the_output(
    sectune: Sectune, sources: list[str], tokenizer: Path, tmp_path: Path
) -> None:
    out = tmp_path / "one"
    answer = sectune("build", "--stage", "1", *sources, "--out", out, "--tokenizer", tokenizer, "--json")
    stats = json.loads(answer.out)
    assert answer.code == 0
    assert stats["total_examples"] == 24
    assert stats["dropped"] == {"no_diff": 1}
    assert stats["cache"]["hit"] is False
    assert sorted(path.name for path in out.iterdir()) == ["test.jsonl", "train.jsonl", "valid.jsonl"]
    again = sectune("build", *sources, "--out", tmp_path / "two", "--tokenizer", tokenizer, "--json")
    assert json.loads(again.out)["cache"] == {"hit": True, "key": stats["cache"]["key"]}


@pytest.mark.slow
def test_any_public_source_can_be_given_by_its_name(
    sectune: Sectune, sources: list[str], tokenizer: Path, tmp_path: Path
) -> None:
    named = ["--public", f"cvefixes={sources[3]}"]
    answer = sectune("build", *named, "--out", tmp_path / "out", "--tokenizer", tokenizer, "--json")
    assert list(json.loads(answer.out)["per_source"]) == ["cvefixes"]
    unknown = sectune("build", "--public", "cvefix=/data", "--out", tmp_path / "o", "--tokenizer", tokenizer)
    assert unknown.code == 1
    assert "crossvul, cvefixes" in unknown.err
    without = sectune("build", "--public", "cvefixes", "--out", tmp_path / "o", "--tokenizer", tokenizer)
    assert "NAME=PLACE" in without.err


@pytest.mark.slow
def test_stage_2_is_built_from_reports_and_a_stage_1_folder(
    sectune: Sectune, built: Path, tokenizer: Path, tmp_path: Path, made: SimpleNamespace
) -> None:
    one = semgrep_report(tmp_path / "one.json", made, 8)
    other = tmp_path / "other.json"
    other.write_text('{"nobody": "knows"}')
    words = ["--stage", "2", "--reports", one, other, "--stage1", built, "--out", tmp_path / "two"]
    answer = sectune("build", *words, "--tokenizer", tokenizer, "--json")
    assert answer.code == 0, answer.err
    stats = json.loads(answer.out)
    assert stats["per_tool"]["semgrep"]["findings"] == 8
    assert stats["webauthn_examples"] > 0
    assert "other.json: refused" in answer.err


def test_without_a_tokenizer_it_says_what_to_do(sectune: Sectune, sources: list[str], tmp_path: Path) -> None:
    answer = sectune("build", *sources, "--out", tmp_path / "one")
    assert answer.code == 1
    assert "--tokenizer PATH" in answer.err
    assert not (tmp_path / "one").exists()


@pytest.mark.slow
def test_what_goes_wrong_in_the_child_arrives_in_its_own_words(
    sectune: Sectune, tokenizer: Path, tmp_path: Path
) -> None:
    answer = sectune(
        "build", "--crossvul", tmp_path / "nowhere", "--out", tmp_path / "o", "--tokenizer", tokenizer
    )
    assert answer.code == 1
    assert "does not exist" in answer.err
    assert "datasets.sources.crossvul.source" in answer.err


def test_a_folder_with_anything_else_in_it_is_never_replaced(
    sectune: Sectune, sources: list[str], tokenizer: Path, tmp_path: Path
) -> None:
    precious = tmp_path / "documents"
    precious.mkdir()
    (precious / "thesis.txt").write_text("years of work")
    answer = sectune("build", *sources, "--out", precious, "--tokenizer", tokenizer)
    assert answer.code == 1
    assert "thesis.txt" in answer.err
    assert (precious / "thesis.txt").read_text() == "years of work"


def test_stage_2_without_reports_or_stage_1_names_what_is_missing(
    sectune: Sectune, tokenizer: Path, tmp_path: Path
) -> None:
    answer = sectune("build", "--stage", "2", "--out", tmp_path / "two", "--tokenizer", tokenizer)
    assert answer.code == 1
    assert "--reports PATH ... --stage1 DIR" in answer.err


@pytest.mark.slow
def test_show_prints_prompt_and_answer_and_filters(sectune: Sectune, built: Path) -> None:
    answer = sectune("show", built, "--part", "train", "--source", "cvefixes", "--cwe", "89", "-n", "2")
    assert answer.code == 0
    assert answer.out.count("--- assistant\n```python\n") == 2
    assert "CWE: CWE-89 (SQL Injection)" in answer.out
    assert "crossvul" not in answer.out
    (one,) = json.loads(sectune("show", built, "--part", "test", "--number", "2", "--json").out)["examples"]
    assert (one["part"], one["number"]) == ("test", 2)
    assert "No example matches" in sectune("show", built, "--cwe", "CWE-1").err
    assert sectune("show", built, "--part", "exam").code == 1


@pytest.mark.slow
def test_stats_counts_by_part_source_cwe_language_reason_and_length(sectune: Sectune, built: Path) -> None:
    counted = json.loads(sectune("stats", built, "--json").out)
    parts = counted["parts"]
    assert sum(part["distinct"] for part in parts.values()) == 24
    assert {name for part in parts.values() for name in part["by_source"]} == {"crossvul", "cvefixes"}
    assert {name for part in parts.values() for name in part["by_cwe"]} == {"CWE-79", "CWE-89"}
    assert {name for part in parts.values() for name in part["by_language"]} == {"php", "python"}
    histogram = counted["dataset_stats"]["token_histogram"]
    assert sum(step["examples"] for step in histogram) == 24
    text = sectune("stats", built).out
    for words in ("There is no diff to rebuild", "tokens up to", "━", "CWE-79", "php", "distinct"):
        assert words in text


@pytest.mark.slow
def test_a_run_s_id_is_as_good_as_a_folder(sectune: Sectune, built: Path, settings: Settings) -> None:
    run = RunStore(settings.paths.models_dir).create(
        settings, Delivery("d", ()), STEP_NAMES, lambda _folder: None
    )
    folder = run.folder.stage(1).training_data
    folder.mkdir(parents=True)
    for path in built.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    run.manifest.stage(1).dataset_stats = json.loads((built.parent / "one-stats.json").read_text())
    run.save()
    counted = json.loads(sectune("stats", run.run_id, "--json").out)
    assert counted["dataset_stats"]["dropped"] == {"no_diff": 1}
    assert "--- user" in sectune("show", run.run_id, "--stage", "1").out
    assert sectune("stats", run.run_id, "--stage", "2").code == 4


def test_a_folder_without_training_data_is_named(sectune: Sectune, tmp_path: Path) -> None:
    answer = sectune("stats", tmp_path)
    assert answer.code == 4
    assert "no train.jsonl" in answer.err


@pytest.mark.slow
def test_the_command_s_own_process_imports_nothing_heavy() -> None:
    heavy = ("datasets", "transformers", "numpy", "pandas", "pyarrow", "tree_sitter", "detect_secrets")
    command = "daemon.cli.commands.dataset.build"
    code = f"import sys, {command}; sys.exit(sum(name in sys.modules for name in {heavy}))"
    done = subprocess.run([sys.executable, "-P", "-c", code], check=False)
    assert done.returncode == 0
