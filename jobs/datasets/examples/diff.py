"""Changes: unified diffs (`git show -U5`) and whole-file pairs, both cut into before/after windows.

A change group is a run of changed lines that stand close together, with the unchanged lines around them, kept
as the body of a unified diff (" ", "-" or "+" before each line). A window is a group with as much outer
context as fits; context is what gives way when an example is too long, never the change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from difflib import SequenceMatcher
from typing import Any

# (first line, last line) of a change -> (first line, last line) of what encloses it, 1-based, or None.
Around = Callable[[int, int], "tuple[int, int] | None"]
CONTEXT, REMOVED, ADDED = " ", "-", "+"

_FILE = re.compile(r'^diff --git "?a/(?P<before>.*?)"? "?b/(?P<after>.*?)"?$')
_COMBINED = re.compile(r"^(diff --(cc|combined) |@@@ )")
_HUNK = re.compile(
    r"^@@ -(?P<before>\d+)(?:,(?P<before_lines>\d+))? \+\d+(?:,(?P<after_lines>\d+))? @@ ?(?P<section>.*)$"
)
_DEFINITION = re.compile(
    # a definition's own word, after any modifiers
    r"^\s*(?:(?:export|public|private|protected|internal|static|final|abstract|async|override|suspend|pub(?:\([^)]*\))?"
    r"|default|open|inline|virtual|unsafe|extern|data|sealed)\s+)*"
    r"(?:def|class|function|func|fun|fn|interface|struct|trait|impl|module|object|enum|sub)\b"
    # a method or function without one: names, then parameters, then the brace (C may put it on the next line)
    r"|^\s*(?!(?:\}\s*)?(?:if|else|for|foreach|while|switch|case|catch|try|do|with|return|using|synchronized|when|match)\b)"
    r"(?:[^\s();=]+\s+)*[^\s();=]+\s*\([^;]*\)[^;()]*\{\s*$"
    r"|^[a-zA-Z_][\w\s*&:<>,~]*\([^;{}]*\)?\s*$"
    # a function given as a value
    r"|=>\s*\{\s*$"
)
_SECTION_LIMIT = 120
_LONGEST_DEFINITION = 300  # characters: a longer line is no definition, and slow to match
# Beyond this product of differing lines a comparison takes seconds and the two files share too little anyway.
_COMPARISON_LIMIT = 16_000_000


class TornDiff(Exception):
    """A hunk ends before the lines that its header promises."""


class TooDifferent(Exception):
    """The two files differ in too many lines to be compared in reasonable time."""


@dataclass(frozen=True, slots=True)
class Window:
    """The same lines before and after a fix; `start_line` is the 1-based line of `before` in the old file."""

    before: str
    after: str
    start_line: int


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    """Changed lines that belong together.

    Args:
        lines: A unified diff's body; the first and the last lines may be context.
        start_line: The 1-based line in the old file that the first line stands at.
        enclosing: The line that opens the function or class around it, where one was found.
        definition: The whole function or class around it, as a window, where one was found.
    """

    lines: tuple[str, ...]
    start_line: int
    enclosing: str | None = None
    definition: Window | None = None

    def window(self, context: int) -> Window:
        """The group with at most `context` unchanged lines before its first and after its last change."""
        changed = self.span
        first = max(changed[0] - context, 0)
        chosen = self.lines[first : changed[1] + 1 + context]
        return _window(chosen, self.start_line + first)

    @property
    def span(self) -> tuple[int, int]:
        """The first and the last changed line, by their place in `lines`."""
        changed = [index for index, line in enumerate(self.lines) if line[0] != CONTEXT]
        return changed[0], changed[-1]

    @property
    def changed_lines(self) -> list[str]:
        """The lines that are removed or added."""
        return [line[1:] for line in self.lines if line[0] != CONTEXT]

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        definition = self.definition
        return {
            "lines": self.lines,
            "start_line": self.start_line,
            "enclosing": self.enclosing,
            "definition": None if definition is None else asdict(definition),
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> ChangeGroup:
        """Rebuild a group from `to_json`'s output."""
        definition = value["definition"] and Window(**value["definition"])
        return cls(tuple(value["lines"]), value["start_line"], value["enclosing"], definition)


def _window(lines: Sequence[str], start_line: int) -> Window:
    before = "\n".join(line[1:] for line in lines if line[0] != ADDED)
    after = "\n".join(line[1:] for line in lines if line[0] != REMOVED)
    return Window(before, after, start_line)


@dataclass(slots=True)
class Hunk:
    """One `@@` block of a diff; `section` is what git found as the enclosing definition."""

    start_line: int
    section: str
    lines: list[str] = field(default_factory=list)


@dataclass(slots=True)
class FileDiff:
    """What a commit does to one file."""

    before_path: str
    after_path: str
    one_sided: bool = False  # the file is added or deleted
    binary: bool = False
    hunks: list[Hunk] = field(default_factory=list)


def code_lines(text: str) -> list[str]:
    """Lines without their ends; only LF and CRLF end one: form feeds and U+2028 stand inside code."""
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n")


def is_combined(diff: str) -> bool:
    """Whether the diff is that of a merge (`diff --cc`)."""
    return any(_COMBINED.match(line) for line in diff.split("\n"))


def parse_diff(diff: str) -> list[FileDiff]:
    """Read the output of `git show`: whatever precedes the first file is skipped.

    Raises:
        TornDiff: A hunk is shorter than its header says.
    """
    files: list[FileDiff] = []
    lines = iter(code_lines(diff))
    for line in lines:
        if match := _FILE.match(line):
            files.append(FileDiff(match["before"], match["after"]))
        elif files and (match := _HUNK.match(line)):
            files[-1].hunks.append(_hunk(match, lines))
        elif files:
            _note_header(files[-1], line)
    return files


def _note_header(file: FileDiff, line: str) -> None:
    if line.startswith(("new file mode", "deleted file mode")):
        file.one_sided = True
    elif line.startswith(("Binary files ", "GIT binary patch")):
        file.binary = True


def _hunk(header: re.Match[str], lines: Iterator[str]) -> Hunk:
    """Take exactly the lines that the header counts: a removed "-- x" would look like a header otherwise."""
    hunk = Hunk(int(header["before"]), header["section"].strip())
    left_before = int(header["before_lines"] or 1)
    left_after = int(header["after_lines"] or 1)
    while left_before > 0 or left_after > 0:
        line = next(lines, None)
        if line is None:
            raise TornDiff(f"The hunk at line {hunk.start_line} ends too early.")
        if line.startswith("\\"):  # "\ No newline at end of file"
            continue
        tag = line[:1] or CONTEXT  # some writers strip the blank of an empty context line
        if tag not in (CONTEXT, REMOVED, ADDED):
            raise TornDiff(f"The hunk at line {hunk.start_line} is cut off by {line[:40]!r}.")
        left_before -= tag != ADDED
        left_after -= tag != REMOVED
        hunk.lines.append(line or CONTEXT)
    return hunk


def groups_of_file(file: FileDiff, context: int) -> list[ChangeGroup]:
    """The change groups of one file of a diff, in the order of its lines."""
    found: list[ChangeGroup] = []
    for hunk in file.hunks:
        found += _group_changes(hunk.lines, hunk.start_line, context, hunk.section[:_SECTION_LIMIT] or None)
    return found


def groups_of_pair(before: str, after: str, context: int, around: Around | None = None) -> list[ChangeGroup]:
    """The change groups between two versions of a whole file.

    Args:
        before: The old version.
        after: The new version.
        context: Unchanged lines around a change.
        around: Finds the definition around some lines of the old version (first, last; 1-based).

    Raises:
        TooDifferent: The files are too large and too different to be compared.
    """
    body = _compare(code_lines(before), code_lines(after))
    groups = _group_changes(body, 1, context, None)
    return groups if around is None else [_widen(group, body, around) for group in groups]


def _widen(group: ChangeGroup, body: list[str], around: Around) -> ChangeGroup:
    """The group with the definition around it, unless that holds another group's change as well.

    With two changes in one definition, each would show the other half done.
    """
    places = [index for index, line in enumerate(body) if line[0] != ADDED]  # of each old line
    start = group.start_line + sum(line[0] != ADDED for line in group.lines[: group.span[0]])
    own = [line for line in group.lines[group.span[0] : group.span[1] + 1] if line[0] != ADDED]
    # An insertion stands between two old lines; both must lie inside.
    first, last = (start, start + len(own) - 1) if own else (start - 1, start)
    found = around(first, last) if first >= 1 and last <= len(places) else None
    if found is None or found[1] > len(places):
        return group
    begin, end = places[found[0] - 1], places[found[1] - 1] + 1
    while end < len(body) and body[end][0] == ADDED:
        end += 1
    changes = sum(line[0] != CONTEXT for line in body[begin:end])
    if changes != sum(line[0] != CONTEXT for line in group.lines):
        return group
    return replace(group, definition=_window(body[begin:end], found[0]))


def _compare(old: list[str], new: list[str]) -> list[str]:
    """The whole file as one diff body; equal heads and tails are set aside first, for speed."""
    shorter = min(len(old), len(new))
    head = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    tail = next((n for n in range(shorter - head) if old[-1 - n] != new[-1 - n]), shorter - head)
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(middle_old) * len(middle_new) > _COMPARISON_LIMIT:
        raise TooDifferent(f"{len(middle_old)} against {len(middle_new)} differing lines.")
    body = [CONTEXT + line for line in old[:head]]
    matcher = SequenceMatcher(None, middle_old, middle_new, autojunk=len(middle_old) > 2000)
    for kind, start, end, new_start, new_end in matcher.get_opcodes():
        if kind == "equal":
            body += [CONTEXT + line for line in middle_old[start:end]]
            continue
        body += [REMOVED + line for line in middle_old[start:end]]
        body += [ADDED + line for line in middle_new[new_start:new_end]]
    return body + [CONTEXT + line for line in old[len(old) - tail :]]


def _group_changes(
    body: list[str], start_line: int, context: int, enclosing: str | None
) -> list[ChangeGroup]:
    """Cut a diff body where more than twice `context` unchanged lines lie between two changes."""
    spans: list[tuple[int, int]] = []
    for index, line in enumerate(body):
        if line[0] == CONTEXT:
            continue
        if spans and index - spans[-1][1] - 1 <= 2 * context:
            spans[-1] = (spans[-1][0], index)
        else:
            spans.append((index, index))
    return [_group(body, span, start_line, context, enclosing) for span in spans]


def _group(
    body: list[str], span: tuple[int, int], start_line: int, context: int, section: str | None
) -> ChangeGroup:
    first, last = span
    begin = max(first - context, 0)
    line_number = start_line + sum(line[0] != ADDED for line in body[:begin])
    return ChangeGroup(tuple(body[begin : last + 1 + context]), line_number, _enclosing(body, span, section))


def _enclosing(body: list[str], span: tuple[int, int], section: str | None) -> str | None:
    """The nearest line above a change that is indented less than it and opens a definition.

    Where the body begins below that line, git's own finding (`section`) stands in; a change that is not
    indented stands in nothing.
    """
    first, last = span
    changed = [line[1:] for line in body[first : last + 1] if line[0] != CONTEXT and line[1:].strip()]
    limit = min(map(_indent, changed), default=0)
    for line in reversed(body[:first]):
        text = line[1:]
        if limit == 0:
            break
        if line[0] == ADDED or _indent(text) >= limit or not _may_open(text):
            continue
        if _DEFINITION.search(text):
            return text.strip()[:_SECTION_LIMIT]
        limit = _indent(text)
    return section if limit else None


def _may_open(text: str) -> bool:
    """Whether a line has words (a lone brace belongs to the line above it) and a bearable length."""
    return len(text) <= _LONGEST_DEFINITION and any(map(str.isalnum, text))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
