"""The gate: what a before/after pair must be before it may become an example, and how good it then is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jobs.datasets.examples.example import Quality
from jobs.datasets.examples.syntax import faults

_IMPORT = re.compile(
    r"^\s*(?:import\b|from\s+\S+\s+import\b|use\s+[\w\\:{]|using\s+\w|require(?:_once|_relative)?\b[\s(]*['\"]"
    r"|(?:const|let|var)\s+[\w{},\s]+=\s*require\(|include(?:_once)?\b|#\s*include\b|@import\b|[\w.]*\s*\"[\w./-]+\"$)"
)
_CVE = re.compile(r"CVE-\d{4}-\d{4,}", re.IGNORECASE)


def window_refusal(before: str, after: str) -> str | None:
    """Why a pair may not become an example.

    Args:
        before: The vulnerable code.
        after: The fixed code.

    Returns:
        A reason of `jobs.datasets.examples.drop_reasons.DROP_REASONS`, or None where the pair may pass.
    """
    if not before.strip() or not after.strip():
        return "empty_side"
    if "".join(before.split()) == "".join(after.split()):
        return "no_op"
    if "```" in before or "```" in after:
        return "holds_a_fence"
    return answer_refusal(after)


def part_refusal(changed: list[str]) -> str | None:
    """Why a change that is only a part of its fix may not stand alone: its reason is in another part.

    Args:
        changed: The lines that the change removes or adds.
    """
    code = [line for line in changed if line.strip()]
    return "imports_only" if code and all(_IMPORT.match(line) for line in code) else None


def answer_refusal(after: str) -> str | None:
    """Why fixed code may not stand as an answer, looked at by itself."""
    if "TODO" in after or "FIXME" in after:
        return "answer_holds_todo"
    if _CVE.search(after):
        return "answer_names_a_cve"
    return None


@dataclass(frozen=True, slots=True)
class QualityVerdict:
    """What the gate says: a reason of `drop_reasons.DROP_REASONS`, else the quality."""

    refusal: str | None
    quality: Quality = "low"


@dataclass(frozen=True, slots=True)
class Pair:
    """Code before and after its fix.

    Args:
        before: The vulnerable code.
        after: The fixed code.
        tag: The language tag of its fence.
        is_whole: Whether it is a whole document, which must parse; a snippet must not parse worse than
            before.
    """

    before: str
    after: str
    tag: str | None
    is_whole: bool = False


def judge(pair: Pair, prompt: str, claimed: Quality) -> QualityVerdict:
    """Whether a fix may be learned, and how good it is.

    Args:
        pair: The code.
        prompt: The user's turn, which holds `before` in its last fence.
        claimed: The quality by the fix's origin; "high" only holds for code that is seen to parse.
    """
    refused = window_refusal(pair.before, pair.after) or find_restatement(prompt, pair)
    if refused is not None:
        return QualityVerdict(refused)
    found = faults(pair.after, pair.tag)
    if found is None:
        return QualityVerdict(None, "standard" if claimed == "high" else claimed)
    if found > (0 if pair.is_whole else faults(pair.before, pair.tag) or 0):
        return QualityVerdict("fix_does_not_parse")
    return QualityVerdict(None, "standard" if claimed == "high" and found else claimed)


# A shorter line of a prompt ("Language: php") may stand in code by chance.
_PROSE = 24
_MEANT_FOR_CODE = "Required: "  # says what the fix must say


def find_restatement(prompt: str, pair: Pair) -> str | None:
    """ "restates_prompt" where the fix brings a line of the prompt's prose with it."""
    prose = prompt.partition("\n\n```")[0].split("\n")
    lines = [line for line in prose if not line.startswith(_MEANT_FOR_CODE)]
    values = [text for line in lines for text in (line, line.partition(": ")[2])]
    repeated = any(
        len(text) >= _PROSE and " " in text and text in pair.after and text not in pair.before
        for text in values
    )
    return "restates_prompt" if repeated else None


def advice_refusal(prompt: str, advice: str) -> str | None:
    """Why advice may not stand as an answer."""
    text = " ".join(advice.split())
    if len(text) < _PROSE:
        return "empty_side"
    if text in " ".join(prompt.split()):
        return "restates_prompt"
    return "holds_a_fence" if "```" in advice else answer_refusal(text)
