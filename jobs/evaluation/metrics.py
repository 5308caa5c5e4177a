"""Scores of answers: for one case, over all of them, and for each kind of case.

What is compared is the code in the answer, not the prose around it. A score over no cases is None.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.datasets.examples.syntax import faults
from jobs.evaluation.bleu import bleu4
from jobs.evaluation.cases import EvaluationCase, ModelAnswer
from jobs.evaluation.fences import code_blocks
from jobs.evaluation.normalise import normalise

BREAKDOWN_KEYS = ("source", "tool", "cwe_id", "language")
UNKNOWN = "unknown"
# The standard normal distribution's 97.5 % quantile: two-sided 95 %.
Z_95 = 1.959963984540054
_TOKEN = re.compile(r"\w+|[^\w\s]")
NOT_MEASURED = {
    "avg_codebleu": "The only package that computes CodeBLEU (codebleu 0.7.0) needs tree-sitter below 0.23, "
    "which cannot load today's grammars. avg_bleu4 is plain BLEU-4 over words and signs; parses_percentage "
    "is the share of answers with no more syntax faults than their reference."
}


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """What one answer is worth.

    `copied` is None where the prompt holds no code to copy, `parses` where no parser knows the language.
    """

    exact: bool
    normalised: bool
    similarity: float
    bleu4: float
    parses: bool | None
    copied: bool | None
    truncated: bool
    finished: bool | None
    tokens: int | None


def extract_code(answer: str) -> str:
    """The content of the answer's first fence; the whole answer, stripped, if it has none."""
    blocks = code_blocks(answer)
    return blocks[0] if blocks else answer.strip()


def exact_match(answer: str, reference: str) -> bool:
    """Whether the code of both is the same, but for newlines at its end."""
    return _code(answer) == _code(reference)


def normalised_match(answer: str, reference: str, language: str | None) -> bool:
    """Whether the code of both is the same without comments, blank lines and runs of white space.

    Comments that change what a program does count, and so do strings (`evaluation.normalise`).
    """
    ours, theirs = _code(answer), _code(reference)
    return ours == theirs or normalise(ours, language) == normalise(theirs, language)


def edit_similarity(answer: str, reference: str) -> float:
    """How much of the code of both is the same, 0 to 1: `difflib`'s ratio over words and signs.

    Words, because the ratio over characters takes 2.5 s for 7,400 of them and says the same; over words
    it takes 0.06 s (two cores, Python 3.11). White space does not count.
    """
    ours, theirs = _TOKEN.findall(_code(answer)), _TOKEN.findall(_code(reference))
    return difflib.SequenceMatcher(None, ours, theirs, autojunk=False).ratio()


def bleu4_score(answer: str, reference: str) -> float:
    """BLEU-4 of the code of both, 0 to 1, over words and signs."""
    return bleu4(_TOKEN.findall(_code(answer)), _TOKEN.findall(_code(reference)))


def parses(answer: str, reference: str, language: str | None) -> bool | None:
    """Whether the answer's code has no more syntax faults than the reference's; None without a parser.

    A window of a file is rarely a whole document, so that even a right answer may have faults; an answer
    without any code does not parse.
    """
    allowed = faults(_code(reference), language)
    if allowed is None:
        return None
    found = faults(_code(answer), language) if _code(answer).strip() else None
    return found is not None and found <= allowed


def copies_vulnerable(answer: str, prompt: str) -> bool | None:
    """Whether the answer's code is code of the prompt, unchanged; None if the prompt holds none."""
    blocks = [block.rstrip("\r\n") for block in code_blocks(prompt)]
    return _code(answer) in blocks if blocks else None


def score_answer(case: EvaluationCase, answer: ModelAnswer) -> AnswerScores:
    """Compare one answer with its case's reference and prompt."""
    language = case.metadata.get("language")
    return AnswerScores(
        exact=exact_match(answer.text, case.reference),
        normalised=normalised_match(answer.text, case.reference, language),
        similarity=edit_similarity(answer.text, case.reference),
        bleu4=bleu4_score(answer.text, case.reference),
        parses=parses(answer.text, case.reference, language),
        copied=copies_vulnerable(answer.text, case.question),
        truncated=answer.truncated,
        finished=answer.finished,
        tokens=answer.tokens,
    )


def wilson_interval(successes: int, total: int) -> tuple[float, float] | None:
    """The 95 % interval of a proportion (Wilson's score interval), each end from 0 to 1; None without cases.

    It stays inside [0, 1] and keeps its width at 0 and at `total` successes, where p +- 1.96 s does not.

    Raises:
        ValueError: More successes than cases, or fewer than none.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} successes among {total} cases cannot be.")
    if total == 0:
        return None
    share = successes / total
    centre = share + Z_95**2 / (2 * total)
    spread = Z_95 * math.sqrt(share * (1 - share) / total + Z_95**2 / (4 * total**2))
    scale = 1 + Z_95**2 / total
    # at 0 and at `total` one end is the share itself; rounding could put it on the wrong side
    low, high = (centre - spread) / scale, (centre + spread) / scale
    return max(0.0, min(low, share)), min(1.0, max(high, share))


def aggregate(scored: Sequence[AnswerScores]) -> dict[str, Any]:
    """The scores over several answers: percentages 0 to 100, similarity 0 to 1, intervals [low, high]."""
    exact = sum(scores.exact for scores in scored)
    same = sum(scores.normalised for scores in scored)
    copied = [scores.copied for scores in scored if scores.copied is not None]
    tokens = [scores.tokens for scores in scored if scores.tokens is not None]
    parsed = [scores.parses for scores in scored if scores.parses is not None]
    return {
        "total_examples": len(scored),
        "exact_matches": exact,
        "exact_match_percentage": _percentage(exact, len(scored)),
        "exact_match_interval_95": _interval(exact, len(scored)),
        "normalised_matches": same,
        "normalised_match_percentage": _percentage(same, len(scored)),
        "normalised_match_interval_95": _interval(same, len(scored)),
        "avg_edit_similarity": _mean([scores.similarity for scores in scored]),
        "avg_bleu4": _mean([scores.bleu4 for scores in scored]),
        "avg_codebleu": None,  # see NOT_MEASURED
        "parses_percentage": _percentage(sum(parsed), len(parsed)),
        "copied_percentage": _percentage(sum(copied), len(copied)),
        "truncated_percentage": _percentage(sum(scores.truncated for scores in scored), len(scored)),
        "avg_tokens": _mean(tokens),
    }


def breakdown(judged: Iterable[tuple[Mapping[str, Any], AnswerScores]]) -> dict[str, dict[str, Any]]:
    """`aggregate` for each value of source, tool, cwe_id and language.

    A case without the key counts as "unknown"; a key that no case has is left out. A list counts in each
    of its values.
    """
    pairs = list(judged)
    present = [key for key in BREAKDOWN_KEYS if any(metadata.get(key) for metadata, _ in pairs)]
    return {key: _by_value(key, pairs) for key in present}


def _by_value(key: str, pairs: Sequence[tuple[Mapping[str, Any], AnswerScores]]) -> dict[str, Any]:
    groups: dict[str, list[AnswerScores]] = {}
    for metadata, scores in pairs:
        for value in _values(metadata.get(key)):
            groups.setdefault(value, []).append(scores)
    return {value: aggregate(groups[value]) for value in sorted(groups)}


def _values(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return list(dict.fromkeys(str(item) for item in value)) or [UNKNOWN]
    return [str(value) if value else UNKNOWN]


def _code(text: str) -> str:
    return extract_code(text).rstrip("\r\n")


def _percentage(part: int, total: int) -> float | None:
    return 100 * part / total if total else None


def _interval(part: int, total: int) -> list[float] | None:
    interval = wilson_interval(part, total)
    return [100 * end for end in interval] if interval else None


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
