from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.errors import OperatorError
from jobs.evaluation.cases import EvaluationCase, ModelAnswer, Sample, load_cases
from jobs.evaluation.fences import code_blocks, fence_text
from jobs.evaluation.report import write_results


def row(number: int, **metadata: Any) -> dict[str, Any]:
    turns = [
        {"role": "system", "content": "You fix."},
        {"role": "user", "content": f"Fix:\n\n```py\nbad({number})\n```"},
        {"role": "assistant", "content": f"```py\ngood({number})\n```"},
    ]
    return {"messages": turns, "metadata": {"language": "python", **metadata}}


def write_rows(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in rows))
    return path


@pytest.fixture
def cases(tmp_path: Path) -> list[EvaluationCase]:
    return load_cases(write_rows(tmp_path / "test.jsonl", [row(n, source=f"s{n % 2}") for n in range(4)]))


@pytest.fixture
def answers(cases: list[EvaluationCase]) -> dict[str, dict[str, ModelAnswer]]:
    copied = {case.id: ModelAnswer(code_blocks(case.question)[0], 5) for case in cases}
    right = {case.id: ModelAnswer(case.reference, 6) for case in cases[:3]}
    return {
        "base": copied,
        "stage1": {**right, cases[3].id: ModelAnswer("```py\nother()", 9, truncated=True)},
    }


def test_a_case_is_the_turns_before_the_last_answer(cases: list[EvaluationCase]) -> None:
    assert [turn["role"] for turn in cases[0].prompt_messages] == ["system", "user"]
    assert cases[1].reference == "```py\ngood(1)\n```"
    assert cases[1].question == "Fix:\n\n```py\nbad(1)\n```"
    assert cases[1].metadata["source"] == "s1"


def test_a_cases_id_depends_on_its_messages_alone(tmp_path: Path, cases: list[EvaluationCase]) -> None:
    backwards = write_rows(tmp_path / "other.jsonl", [row(n, source="else") for n in reversed(range(4))])
    assert [case.id for case in reversed(load_cases(backwards))] == [case.id for case in cases]
    assert len({case.id for case in cases}) == 4
    assert all(len(case.id) == 16 for case in cases)


@pytest.mark.parametrize(
    "broken",
    [
        {"metadata": {}},
        {"messages": []},
        {"messages": [{"role": "assistant", "content": "x"}]},
        {"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}]},
        {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": None}]},
        [],
    ],
)
def test_a_row_that_is_no_example_is_named(tmp_path: Path, broken: Any) -> None:
    with pytest.raises(OperatorError, match=r"test\.jsonl, row 1 "):
        load_cases(write_rows(tmp_path / "test.jsonl", [row(0), broken]))


@pytest.mark.parametrize("unsafe", ["../x", "a/b", "", ".", "a" * 65, "x\n"])
def test_an_id_that_could_not_name_a_file_is_refused(unsafe: str) -> None:
    with pytest.raises(ValueError, match="names a file"):
        EvaluationCase(unsafe, [], "")


def test_the_results_file_holds_the_main_models_figures_and_every_models(
    tmp_path: Path, cases: list[EvaluationCase], answers: dict[str, dict[str, ModelAnswer]]
) -> None:
    results = write_results(tmp_path / "evaluation", cases, answers, main="stage1")
    assert json.loads((tmp_path / "evaluation" / "evaluation_results.json").read_text()) == results
    assert (results["total_examples"], results["exact_matches"]) == (4, 3)
    assert results["metrics"]["exact_match_percentage"] == 75.0
    assert results["metrics"]["avg_codebleu"] is None
    assert results["models"]["base"]["exact_match_percentage"] == 0.0
    assert results["models"]["base"]["copied_percentage"] == 100.0
    assert results["metrics"]["breakdown"]["source"]["s1"]["exact_match_percentage"] == 50.0
    detail = results["detailed_results"][3]
    assert detail["models"]["stage1"]["truncated"] is True
    assert detail["id"] == cases[3].id


def test_each_case_has_a_page_with_prompt_reference_and_answers(
    tmp_path: Path, cases: list[EvaluationCase], answers: dict[str, dict[str, ModelAnswer]]
) -> None:
    results = write_results(tmp_path, cases, answers, main="stage1")
    for case, detail in zip(cases, results["detailed_results"], strict=True):
        blocks = code_blocks((tmp_path / detail["report"]).read_text())
        assert cases[0].prompt_messages[0]["content"] in blocks
        assert {case.question, case.reference, answers["base"][case.id].text} <= set(blocks)
    assert len(list((tmp_path / "model_evaluation").iterdir())) == 4


@given(st.text(alphabet="`~\n #<x", max_size=40))
def test_no_text_breaks_out_of_its_fence(text: str) -> None:
    assert code_blocks(f"{fence_text(text)}\n\n# a heading\n\n{fence_text('next')}") == [text, "next"]


def test_a_case_without_an_answer_is_counted_and_not_judged(
    tmp_path: Path, cases: list[EvaluationCase], answers: dict[str, dict[str, ModelAnswer]]
) -> None:
    del answers["stage1"][cases[0].id]
    results = write_results(tmp_path, cases, answers, main="stage1")
    assert (results["metrics"]["total_examples"], results["metrics"]["unanswered"]) == (3, 1)
    assert results["detailed_results"][0]["models"]["stage1"] is None
    assert "Not answered." in (tmp_path / results["detailed_results"][0]["report"]).read_text()


def test_a_new_evaluation_leaves_no_page_of_the_old_one_and_other_folders_alone(
    tmp_path: Path, cases: list[EvaluationCase], answers: dict[str, dict[str, ModelAnswer]]
) -> None:
    (tmp_path / "retention").mkdir()
    (tmp_path / ".model_evaluation.dead.tmp").mkdir()
    write_results(tmp_path, cases, answers, main="stage1")
    fewer = {label: {cases[0].id: given[cases[0].id]} for label, given in answers.items()}
    write_results(tmp_path, cases[:1], fewer, main="stage1")
    assert [path.name for path in (tmp_path / "model_evaluation").iterdir()] == [f"{cases[0].id}.md"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == [
        "model_evaluation",
        "retention",
    ]


def test_a_sampled_evaluation_says_of_how_many_and_with_which_seed(
    tmp_path: Path, cases: list[EvaluationCase], answers: dict[str, dict[str, ModelAnswer]]
) -> None:
    results = write_results(tmp_path, cases, answers, "stage1", Sample(cases=4, all_cases=900, seed=42))
    assert results["sample"] == {"cases": 4, "all_cases": 900, "seed": 42}
    low, high = results["metrics"]["exact_match_interval_95"]
    assert low < 75.0 < high
    assert write_results(tmp_path, cases, answers, "stage1")["sample"] is None


def test_what_is_not_measured_is_null_and_says_why(
    tmp_path: Path, cases: list[EvaluationCase], answers: dict[str, dict[str, ModelAnswer]]
) -> None:
    results = write_results(tmp_path, cases, answers, main="stage1")
    for name, reason in results["not_measured"].items():
        assert results["metrics"][name] is None
        assert len(reason) > 20


def test_no_cases_give_no_scores(tmp_path: Path) -> None:
    results = write_results(tmp_path, [], {"stage1": {}}, main="stage1")
    assert results["metrics"]["exact_match_percentage"] is None
    assert (results["total_examples"], results["detailed_results"]) == (0, [])


def test_answers_of_another_test_part_are_a_mistake(
    tmp_path: Path, cases: list[EvaluationCase], answers: dict[str, dict[str, ModelAnswer]]
) -> None:
    with pytest.raises(ValueError, match="not in this test part"):
        write_results(tmp_path, cases[1:], answers, main="stage1")
    with pytest.raises(ValueError, match="no answers of stage2"):
        write_results(tmp_path, cases, answers, main="stage2")
    assert not (tmp_path / "evaluation_results.json").exists()


@pytest.mark.slow
def test_these_rooms_bring_no_heavy_library_into_the_daemon() -> None:
    rooms = "jobs.registry.catalogue, jobs.registry.entry, jobs.evaluation.report, jobs.publishing.upload"
    heavy = "{'mlx', 'mlx_lm', 'transformers', 'datasets', 'pandas', 'numpy', 'pyarrow', 'huggingface_hub'}"
    code = f"import sys, {rooms}, jobs.evaluation.retention; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
