"""How a candidate of a public source becomes an example.

Quality of a public example: "high" where the change is the whole fix of its commit or file pair (so the
answer is complete) and its CWE is known (so the prompt says what is wrong); "standard" otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator

from jobs.datasets.examples.diff import ChangeGroup, Window
from jobs.datasets.examples.example import Example, Quality, conversation, fence, prompt_text, shorten
from jobs.datasets.examples.quality import part_refusal, window_refusal
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.public.candidate import Candidate

TASK = "Fix the vulnerability in this code."
# No tokenizer makes tokens this long on average: beyond it, counting would only cost time.
_CHARACTERS_A_TOKEN = 40
# Less context mends none of these.
_FINAL = frozenset({"no_op", "empty_side"})


class Renderer:
    """Makes examples of candidates, each with as much context as fits.

    Args:
        counter: Counts with the training tokenizer.
        max_seq_length: Tokens that prompt and whole answer must fit.
        context: Unchanged lines around a change, where they fit.
    """

    def __init__(self, counter: TokenCounter, max_seq_length: int, context: int) -> None:
        self._counter = counter
        self._limit = max_seq_length
        self._context = context

    def example(self, candidate: Candidate) -> tuple[Example, int] | str:
        """The example and its length in tokens, or the reason why there is none."""
        if not candidate.whole_fix and (partial := part_refusal(candidate.group.changed_lines)) is not None:
            return partial
        tried: list[str | None] = []
        for window in self._windows(candidate.group):
            refused = window_refusal(window.before, window.after)
            if refused is None and (found := self._fitting(candidate, window)) is not None:
                return found
            tried.append(refused)
            if refused in _FINAL:
                break
        return "too_long" if None in tried else str(tried[0])

    def _windows(self, group: ChangeGroup) -> Iterator[Window]:
        """Those to try, best first: the whole definition around the change, then fewer and fewer lines."""
        if group.definition is not None:
            yield group.definition
        for context in _shrinking(self._context):
            yield group.window(context)

    def _fitting(self, candidate: Candidate, window: Window) -> tuple[Example, int] | None:
        if len(window.before) + len(window.after) > self._limit * _CHARACTERS_A_TOKEN:
            return None
        example = _example(candidate, window, self._counter.template_name)
        tokens = self._counter.total(example.messages)
        return (example, tokens) if tokens <= self._limit else None


def _shrinking(context: int) -> list[int]:
    """The contexts to try, widest first: all, halves of it, none."""
    steps = [context]
    while steps[-1] > 0:
        steps.append(steps[-1] // 2)
    return steps


def _example(candidate: Candidate, window: Window, template: str) -> Example:
    tag, enclosing = candidate.language or "", candidate.group.enclosing
    facts: dict[str, str | None] = {
        "CWE": ", ".join(
            f"{identifier} ({name})" if name else identifier for identifier, name in candidate.cwes
        ),
        "Language": candidate.language,
        "Inside": None if (enclosing or "") in window.before else enclosing,
        "Description": shorten(candidate.description) if candidate.description else None,
    }
    quality: Quality = "high" if candidate.whole_fix and candidate.cwes else "standard"
    identifiers = [identifier for identifier, _ in candidate.cwes]
    return Example(
        conversation(prompt_text(TASK, facts, fence(window.before, tag)), fence(window.after, tag)),
        {
            "source": candidate.source,
            "quality": quality,
            "cwe_id": identifiers[0] if identifiers else None,
            "cwe_ids": identifiers,
            "language": candidate.language,
            "chat_template": template,
            "groups": list(candidate.groups),
            "provenance": candidate.provenance,
            "attribution": candidate.attribution,
        },
    )
