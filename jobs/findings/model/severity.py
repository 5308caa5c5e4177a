"""Severity words, CVSS scores and CVSS vectors as one of our levels.

Score bands: CVSS v3.1 specification, section 5, which CVSS 4 keeps.
"""

from __future__ import annotations

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


@lru_cache(maxsize=4096)  # advisories share vectors, and one of CVSS 4 takes 0.2 ms
def score_of_vector(vector: str) -> float | None:
    """The score of a CVSS vector, 0.0 to 10.0; None for a broken one and for versions we do not know.

    Of CVSS 2 and 3 it is the base score; CVSS 4 has one score, in which threat metrics count.
    """
    # Imported with the first vector: it takes 5 ms, and most reports give scores.
    from cvss import CVSS2, CVSS3, CVSS4
    from cvss.exceptions import CVSSError

    text = vector.strip().strip("()").removesuffix("/")  # how some write it
    known = {"CVSS:3.": CVSS3, "CVSS:4.": CVSS4}.get(text[:7], CVSS2)
    try:
        return float(known(text.removeprefix("CVSS:2.0/")).base_score)
    except CVSSError:
        return None


def version_of_vector(vector: str) -> int:
    """The version that a CVSS vector's prefix says: 4, 3, or 2, which has none."""
    prefix = vector.strip()[:7]
    return {"CVSS:3.": 3, "CVSS:4.": 4}.get(prefix, 2)
