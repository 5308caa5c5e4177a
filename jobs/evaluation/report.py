"""An evaluation on disk: the figures in `evaluation_results.json`, and one readable file for each case."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jobs.evaluation.cases import EvaluationCase, ModelAnswer, Sample
from jobs.evaluation.fences import fence_text
from jobs.evaluation.metrics import NOT_MEASURED, AnswerScores, aggregate, breakdown, score_answer
from jobs.fs.files import replace_folder, temporary_beside, write_json, write_text

RESULTS_NAME = "evaluation_results.json"
CASES_FOLDER = "model_evaluation"

Answers = Mapping[str, Mapping[str, ModelAnswer]]
ScoresByModel = dict[str, dict[str, AnswerScores]]


def write_results(
    folder: Path, cases: Sequence[EvaluationCase], answers: Answers, main: str, sample: Sample | None = None
) -> dict[str, Any]:
    """Judge every answer and write what came out; the figures are written last.

    Scores are over the cases that a model answered; `unanswered` counts the rest.

    Args:
        folder: Where to write; other folders in it are left alone.
        cases: The cases, in the order of their report.
        answers: Model label ("base", "stage1", "stage2") -> case id -> answer.
        main: The label whose figures stand at the top.
        sample: How the cases were drawn; None where all of the test part were asked.

    Returns:
        What `evaluation_results.json` holds: `total_examples, exact_matches, main_model, sample, metrics,
        models, not_measured, detailed_results`.

    Raises:
        ValueError: `main` gave no answers, or an answer is to no case: they are of another test part.
    """
    _check(cases, answers, main)
    scores = _score_all(cases, answers)
    models = {label: _figures(cases, given) for label, given in scores.items()}
    results = {
        "total_examples": len(cases),
        "exact_matches": models[main]["exact_matches"],
        "main_model": main,
        "sample": sample and asdict(sample),
        "metrics": models[main],
        "models": models,
        "not_measured": NOT_MEASURED,
        "detailed_results": [_detail(case, answers, scores) for case in cases],
    }
    _write_cases(folder / CASES_FOLDER, cases, answers, scores)
    write_json(folder / RESULTS_NAME, results)
    return results


def _check(cases: Sequence[EvaluationCase], answers: Answers, main: str) -> None:
    if main not in answers:
        raise ValueError(f"There are no answers of {main}, only of {sorted(answers)}.")
    known = {case.id for case in cases}
    for label, given in answers.items():
        if strangers := sorted(set(given) - known):
            raise ValueError(f"{label} answered {len(strangers)} cases that are not in this test part.")


def _score_all(cases: Sequence[EvaluationCase], answers: Answers) -> ScoresByModel:
    by_id = {case.id: case for case in cases}
    return {
        label: {case_id: score_answer(by_id[case_id], answer) for case_id, answer in given.items()}
        for label, given in answers.items()
    }


def _figures(cases: Sequence[EvaluationCase], scores: Mapping[str, AnswerScores]) -> dict[str, Any]:
    judged = [(case.metadata, scores[case.id]) for case in cases if case.id in scores]
    figures = aggregate([own for _, own in judged])
    return {**figures, "unanswered": len(cases) - len(judged), "breakdown": breakdown(judged)}


def _detail(case: EvaluationCase, answers: Answers, scores: ScoresByModel) -> dict[str, Any]:
    return {
        "id": case.id,
        "report": f"{CASES_FOLDER}/{case.id}.md",
        "metadata": dict(case.metadata),
        "prompt": case.prompt_messages[-1]["content"],
        "reference": case.reference,
        "models": {
            label: _scores(given.get(case.id), answers[label].get(case.id)) for label, given in scores.items()
        },
    }


def _scores(scores: AnswerScores | None, answer: ModelAnswer | None) -> dict[str, Any] | None:
    if scores is None or answer is None:
        return None
    return {
        "text": answer.text,
        "exact_match": scores.exact,
        "normalised_match": scores.normalised,
        "edit_similarity": scores.similarity,
        "bleu4": scores.bleu4,
        "parses": scores.parses,
        "copied": scores.copied,
        "truncated": scores.truncated,
        "finished": scores.finished,
        "tokens": scores.tokens,
    }


def _write_cases(
    folder: Path, cases: Sequence[EvaluationCase], answers: Answers, scores: ScoresByModel
) -> None:
    """All case files at once, so that none of an earlier evaluation stays between them."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):  # a killed writer's
        shutil.rmtree(leftover)
    building = temporary_beside(folder)
    building.mkdir()
    for case in cases:
        write_text(building / f"{case.id}.md", _page(case, answers, scores))
    replace_folder(building, folder)


def _page(case: EvaluationCase, answers: Answers, scores: ScoresByModel) -> str:
    facts = json.dumps(dict(case.metadata), indent=2, ensure_ascii=False, default=str)
    parts = [f"# Case {case.id}", fence_text(facts, "json"), "## Prompt"]
    for turn in case.prompt_messages:
        parts += [f"### {turn['role']}", fence_text(turn["content"])]
    parts += ["## Reference", fence_text(case.reference)]
    for label, given in answers.items():
        parts.append(f"## Answer of {label}")
        if case.id in given:
            parts += [_scores_text(scores[label][case.id]), fence_text(given[case.id].text)]
        else:
            parts.append("Not answered.")
    return "\n\n".join(parts) + "\n"


def _scores_text(scores: AnswerScores) -> str:
    words = {True: "yes", False: "no", None: "not known"}
    lines = [
        f"- exact match: {words[scores.exact]}",
        f"- match without white space and comments: {words[scores.normalised]}",
        f"- edit similarity: {scores.similarity:.3f}",
        f"- BLEU-4: {scores.bleu4:.3f}",
        f"- no more syntax faults than the reference: {words[scores.parses]}",
        f"- the vulnerable code, unchanged: {words[scores.copied]}",
        f"- ended by the limit: {words[scores.truncated]}",
        f"- tokens: {'not known' if scores.tokens is None else scores.tokens}",
    ]
    return "\n".join(lines)
