"""Severity words, CVSS scores and CVSS 3 vectors as one of our levels.

Score bands and the base score's formula: CVSS v3.1 specification, sections 5 and 7.1.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from jobs.findings.model.finding import Severity, SeverityLevel

_WORDS: dict[str, SeverityLevel] = {
    "critical": "critical",
    "very-high": "critical",
    "high": "high",
    "important": "high",
    "error": "high",
    "severe": "high",
    "medium": "medium",
    "moderate": "medium",
    "warning": "medium",
    "low": "low",
    "minor": "low",
    "note": "low",
    "negligible": "low",
    "info": "info",
    "informational": "info",
    "none": "info",
}
_METRIC = re.compile(r"([A-Z]{1,3}):([A-Z])")
_WEIGHTS: dict[str, dict[str, float]] = {
    "AV": {"N": 0.85, "A": 0.62, "L": 0.55, "P": 0.2},
    "AC": {"L": 0.77, "H": 0.44},
    "UI": {"N": 0.85, "R": 0.62},
    "C": {"H": 0.56, "L": 0.22, "N": 0.0},
    "I": {"H": 0.56, "L": 0.22, "N": 0.0},
    "A": {"H": 0.56, "L": 0.22, "N": 0.0},
}
_PRIVILEGES: dict[str, dict[str, float]] = {
    "U": {"N": 0.85, "L": 0.62, "H": 0.27},
    "C": {"N": 0.85, "L": 0.68, "H": 0.5},
}


@lru_cache(maxsize=4096)
def level_of_word(word: str | None) -> SeverityLevel:
    """Our level for a tool's word, "unknown" for one we do not know."""
    return _WORDS.get((word or "").strip().lower().replace("_", "-"), "unknown")


def level_of_score(score: float) -> SeverityLevel:
    """Our level for a CVSS score from 0.0 to 10.0."""
    if score >= 9.0:
        return "critical"
    if score >= 7.0:
        return "high"
    if score >= 4.0:
        return "medium"
    return "low" if score > 0 else "info"


@lru_cache(maxsize=4096)
def build(word: str | None, score: float | None = None, origin: str | None = None) -> Severity:
    """A severity from a word and a score: the word decides the level where we know it."""
    if score is not None and not 0 <= score <= 10:
        score = None
    level = level_of_word(word)
    if level == "unknown" and score is not None:
        level = level_of_score(score)
    return Severity(level=level, raw=word, score=score, origin=origin)


@lru_cache(maxsize=4096)
def score_of_vector(vector: str) -> float | None:
    """The base score of a CVSS 3.0 or 3.1 vector; None for other versions and broken vectors."""
    if not vector.startswith("CVSS:3."):
        return None
    metrics = dict(_METRIC.findall(vector))
    try:
        return _base_score(metrics)
    except KeyError:
        return None


def _base_score(metrics: dict[str, str]) -> float:
    changed = metrics["S"] == "C"
    weights = {name: table[metrics[name]] for name, table in _WEIGHTS.items()}
    lost = 1 - (1 - weights["C"]) * (1 - weights["I"]) * (1 - weights["A"])
    impact = 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02) ** 15 if changed else 6.42 * lost
    if impact <= 0:
        return 0.0
    privileges = _PRIVILEGES[metrics["S"]][metrics["PR"]]
    exploitability = 8.22 * weights["AV"] * weights["AC"] * privileges * weights["UI"]
    factor = 1.08 if changed else 1.0
    return _round_up(min(factor * (impact + exploitability), 10.0))


def _round_up(value: float) -> float:
    hundred_thousands = round(value * 100_000)
    if hundred_thousands % 10_000 == 0:
        return hundred_thousands / 100_000
    return (math.floor(hundred_thousands / 10_000) + 1) / 10
