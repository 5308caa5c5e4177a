"""Markdown fences: find the code blocks of an answer, and fence any text so that it cannot break out."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENING = re.compile(r"^(?P<indent>[ \t]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`\n]*)$")
_RUN_OF_TICKS = re.compile(r"`+")


@dataclass(frozen=True, slots=True)
class _Block:
    indent: str
    mark: str
    length: int
    lines: list[str]

    def is_closed_by(self, line: str) -> bool:
        text = line.strip(" \t\r")
        return len(text) >= self.length and not text.strip(self.mark)


def code_blocks(text: str) -> list[str]:
    """The contents of every fence, without the fence's own lines.

    A fence that nothing closes (an answer that ran into its limit) reaches to the end. Lines are split at
    newlines only, so that code keeps its form feeds and carriage returns.
    """
    blocks: list[_Block] = []
    inside: _Block | None = None
    for line in text.split("\n"):
        if inside is None:
            inside = _opening_block(line)
            blocks += [inside] if inside else []
        elif inside.is_closed_by(line):
            inside = None
        else:
            inside.lines.append(line.removeprefix(inside.indent))
    return ["\n".join(block.lines) for block in blocks]


def fence_text(text: str, info: str = "") -> str:
    """The text in a fence longer than any run of backticks in it."""
    longest = max((len(run) for run in _RUN_OF_TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{info}\n{text}\n{fence}"


def _opening_block(line: str) -> _Block | None:
    match = _OPENING.match(line)
    if match is None:
        return None
    return _Block(match["indent"], match["fence"][0], len(match["fence"]), [])
