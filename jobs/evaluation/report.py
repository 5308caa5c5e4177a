"""An evaluation on disk: the figures in `evaluation_results.json`, and one readable file for each case."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jobs.evaluation.cases import Answer, Case, Sample, load_cases
from jobs.evaluation.fences import fenced
from jobs.evaluation.metrics import NOT_MEASURED, Verdict, aggregate, breakdown, judge
from jobs.fs.files import replace_folder, temporary_beside, write_json, write_text

__all__ = ["Answer", "Case", "Sample", "load_cases", "write_results"]

RESULTS_NAME = "evaluation_results.json"
CASES_FOLDER = "model_evaluation"

Answers = Mapping[str, Mapping[str, Answer]]
Verdicts = dict[str, dict[str, Verdict]]


def write_results(
    folder: Path, cases: Sequence[Case], answers: Answers, main: str, sample: Sample | None = None
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
    by_id = {case.id: case for case in cases}
    verdicts = {
        label: {case_id: judge(by_id[case_id], answer) for case_id, answer in given.items()}
        for label, given in answers.items()
    }
    models = {label: _figures(cases, given) for label, given in verdicts.items()}
    results = {
        "total_examples": len(cases),
        "exact_matches": models[main]["exact_matches"],
        "main_model": main,
        "sample": sample and asdict(sample),
        "metrics": models[main],
        "models": models,
        "not_measured": NOT_MEASURED,
        "detailed_results": [_detail(case, answers, verdicts) for case in cases],
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write_cases(folder / CASES_FOLDER, cases, answers, verdicts)
    write_json(folder / RESULTS_NAME, results)
    return results


def _check(cases: Sequence[Case], answers: Answers, main: str) -> None:
    if main not in answers:
        raise ValueError(f"There are no answers of {main}, only of {sorted(answers)}.")
    known = {case.id for case in cases}
    for label, given in answers.items():
        if strangers := sorted(set(given) - known):
            raise ValueError(f"{label} answered {len(strangers)} cases that are not in this test part.")


def _figures(cases: Sequence[Case], verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    judged = [(case.metadata, verdicts[case.id]) for case in cases if case.id in verdicts]
    figures = aggregate([verdict for _, verdict in judged])
    return {**figures, "unanswered": len(cases) - len(judged), "breakdown": breakdown(judged)}


def _detail(case: Case, answers: Answers, verdicts: Verdicts) -> dict[str, Any]:
    return {
        "id": case.id,
        "report": f"{CASES_FOLDER}/{case.id}.md",
        "metadata": dict(case.metadata),
        "prompt": case.prompt_messages[-1]["content"],
        "reference": case.reference,
        "models": {
            label: _verdict(given.get(case.id), answers[label].get(case.id))
            for label, given in verdicts.items()
        },
    }


def _verdict(verdict: Verdict | None, answer: Answer | None) -> dict[str, Any] | None:
    if verdict is None or answer is None:
        return None
    return {
        "text": answer.text,
        "exact_match": verdict.exact,
        "normalised_match": verdict.normalised,
        "edit_similarity": verdict.similarity,
        "bleu4": verdict.bleu4,
        "parses": verdict.parses,
        "copied": verdict.copied,
        "truncated": verdict.truncated,
        "finished": verdict.finished,
        "tokens": verdict.tokens,
    }


def _write_cases(folder: Path, cases: Sequence[Case], answers: Answers, verdicts: Verdicts) -> None:
    """All case files at once, so that none of an earlier evaluation stays between them."""
    for leftover in folder.parent.glob(f".{folder.name}.*.tmp"):  # a killed writer's
        shutil.rmtree(leftover)
    building = temporary_beside(folder)
    building.mkdir()
    for case in cases:
        write_text(building / f"{case.id}.md", _page(case, answers, verdicts))
    replace_folder(building, folder)


def _page(case: Case, answers: Answers, verdicts: Verdicts) -> str:
    facts = json.dumps(dict(case.metadata), indent=2, ensure_ascii=False, default=str)
    parts = [f"# Case {case.id}", fenced(facts, "json"), "## Prompt"]
    for turn in case.prompt_messages:
        parts += [f"### {turn['role']}", fenced(turn["content"])]
    parts += ["## Reference", fenced(case.reference)]
    for label, given in answers.items():
        parts.append(f"## Answer of {label}")
        if case.id in given:
            parts += [_verdict_text(verdicts[label][case.id]), fenced(given[case.id].text)]
        else:
            parts.append("Not answered.")
    return "\n\n".join(parts) + "\n"


def _verdict_text(verdict: Verdict) -> str:
    words = {True: "yes", False: "no", None: "not known"}
    lines = [
        f"- exact match: {words[verdict.exact]}",
        f"- match without white space and comments: {words[verdict.normalised]}",
        f"- edit similarity: {verdict.similarity:.3f}",
        f"- BLEU-4: {verdict.bleu4:.3f}",
        f"- no more syntax faults than the reference: {words[verdict.parses]}",
        f"- the vulnerable code, unchanged: {words[verdict.copied]}",
        f"- ended by the limit: {words[verdict.truncated]}",
        f"- tokens: {'not known' if verdict.tokens is None else verdict.tokens}",
    ]
    return "\n".join(lines)
