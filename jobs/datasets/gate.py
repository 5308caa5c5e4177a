"""The gate: what a before/after pair must be before it may become an example."""

from __future__ import annotations

import re

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
        A reason of `jobs.datasets.reasons.DROP_REASONS`, or None where the pair may pass.
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
