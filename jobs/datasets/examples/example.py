"""An example: one training conversation, its prompt's text, and the keys that splitting groups it by.

The prompt holds all that is needed to answer. The answer is the fixed code in one fence and nothing else,
because words that the prompt does not determine cannot be learned, only guessed.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Literal

Quality = Literal["high", "standard", "low"]

SYSTEM = "You fix security vulnerabilities. Answer with the fixed code in one fenced block and nothing else."
ADVICE_SYSTEM = "You advise on security vulnerabilities. Answer with what has to be changed, in prose."
# A description is context, not the answer: beyond this length it costs tokens and tells nothing new.
DESCRIPTION_LIMIT = 400

_FENCED = re.compile(r"\A```[^\n`]*\n(?P<code>.*)\n```\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Example:
    """One conversation: system, user, assistant; and what is known about it.

    `metadata` holds source, quality, cwe_id, language, chat_template, groups (the keys that must not be torn
    apart by a split), provenance (where the fix comes from) and attribution.
    """

    messages: tuple[dict[str, str], ...]
    metadata: dict[str, Any]

    @property
    def prompt(self) -> str:
        """The user's turn."""
        return self.messages[1]["content"]

    @property
    def answer(self) -> str:
        """The assistant's turn."""
        return self.messages[2]["content"]

    @property
    def groups(self) -> tuple[str, ...]:
        """The keys that keep this example on one side of the split with all that share one of them."""
        return tuple(self.metadata["groups"])

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values: one line of train.jsonl."""
        return {"messages": list(self.messages), "metadata": self.metadata}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Example:
        """Rebuild an example from `to_json`'s output."""
        return cls(tuple(value["messages"]), value["metadata"])


def conversation(prompt: str, answer: str, system: str = SYSTEM) -> tuple[dict[str, str], ...]:
    """The three turns of an example."""
    return (
        {"role": "system", "content": system},
        {"role": "user", "content": prompt},
        {"role": "assistant", "content": answer},
    )


def fence(code: str, tag: str) -> str:
    """`code` in a Markdown fence with a language tag; the gate keeps code that holds a fence away."""
    return f"```{tag}\n{code}\n```"


def fenced_code(answer: str) -> str:
    """The code of an answer that is one fence.

    Raises:
        ValueError: The text is anything but one fenced block.
    """
    match = _FENCED.match(answer)
    if match is None:
        raise ValueError("The answer is not one fenced block.")
    return match["code"]


def answer_core(answer: str) -> str:
    """What identifies an answer: the code where it is one fence, else its text."""
    match = _FENCED.match(answer)
    return answer if match is None else match["code"]


def prompt_code(prompt: str) -> str:
    """The code in the fence that ends a prompt."""
    return prompt.removesuffix("\n```").rpartition("\n```")[2].partition("\n")[2]


def prompt_text(task: str, facts: dict[str, str | None], fenced: str) -> str:
    """The user's turn: the task, one line for each known fact, the vulnerable code in its fence."""
    lines = [task, *(f"{name}: {value}" for name, value in facts.items() if value), "", fenced]
    return "\n".join(lines)


def shorten(text: str, limit: int = DESCRIPTION_LIMIT) -> str:
    """Prose on one line, ended after a whole sentence (else a whole word) where it is longer than `limit`."""
    line = " ".join(text.split())
    if len(line) <= limit:
        return line
    head = line[: limit + 1]
    sentence = head.rfind(". ")
    if sentence >= limit // 2:
        return head[: sentence + 1]
    return head[: max(head.rfind(" "), 1)].rstrip(" ,;:") + " ..."


def code_digest(code: str) -> str:
    """What is left of code when white space does not count, as 16 hex digits."""
    return hashlib.sha256("".join(code.split()).encode("utf-8", "surrogatepass")).hexdigest()[:16]
