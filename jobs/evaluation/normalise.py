"""Code without its comments and with its white space folded, for comparing what it does, not how it looks.

A match too few is better than one too many: a comment is taken out only where two readers agree that it is
one, and where it changes nothing. A language that we do not know keeps all of its comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from jobs.datasets.examples.languages import language_of_name
from jobs.evaluation.code_readers import LANGUAGES, CodeParts, Span, read_again, read_with_lexer
from jobs.evaluation.directives import is_directive

# Where the depth of a line is part of the program.
_INDENTED = frozenset({
    "coffeescript", "cython", "diff", "elm", "fsharp", "haml", "haskell", "makefile", "markdown", "nim",
    "pug", "python", "sass", "scala", "slim", "stylus", "yaml",
})  # fmt: skip
# Where a comment is nothing; elsewhere it stands for a space.
_MARKUP = frozenset({"html", "xml"})
# What some language takes for the end of a line (a carriage return, U+2028) is not folded.
_BLANKS = " \t\f\v"
_ENDS = _BLANKS + "\r"
_WHITE = re.compile(rf"[{_BLANKS}]+")
# White space in strings is moved out of the way of all folding, to characters that code has no use for.
_PRIVATE = 0xF0000
_HIDDEN = {ord(white): _PRIVATE + ord(white) for white in f"{_BLANKS}\n"}
_SHOWN = {private: white for white, private in _HIDDEN.items()}


def normalise(code: str, language: str | None) -> str:
    """The code without comments and blank lines, each run of white space one space.

    Strings stay as they are, and so does the indentation where the language gives it a meaning. Code that
    cannot be read for certain stays as it is.

    Args:
        code: A whole file or a part of one.
        language: Its fence tag, or another name of its language.
    """
    name = language_of_name(language or "") or ""
    text = code.replace("\r\n", "\n")
    if name in LANGUAGES:
        reading = _read(text + "\n", name)
        if reading is None:
            return text.rstrip("\n")
        text = _without_comments(_with_hidden_strings(text, reading.strings), reading.comments, name)
    lines = [_fold(line, name in _INDENTED) for line in text.split("\n")]
    return "\n".join(line for line in lines if line.strip(_ENDS)).translate(_SHOWN)


def _read(text: str, language: str) -> CodeParts | None:
    """The comments to take out, and what either reader takes for a string."""
    first = read_with_lexer(text, language)
    second = read_again(text, language, first)
    if second is None:
        return None
    agreed = _find_agreed(text, first.comments, second.comments)
    comments = [span for span in agreed if not is_directive(text, span, language)]
    return CodeParts(comments, first.strings + second.strings)


def _find_agreed(text: str, first: Iterable[Span], second: Iterable[Span]) -> list[Span]:
    """The second reader's comments, where both see comments and code alike up to the next code."""
    by_first, by_second = _mark(text, first), _mark(text, second)
    certain: list[Span] = []
    start, alike = -1, True
    for index, character in enumerate(f"{text}."):
        if character.isspace():
            continue
        if index < len(text) and (by_first[index] or by_second[index]):
            start, alike = (index, True) if start < 0 else (start, alike)
            alike = alike and by_first[index] == by_second[index]
        elif start >= 0:
            certain += [Span(start, index)] if alike else []
            start = -1
    trimmed = [_trim(text, span) for span in second]
    return [span for span in trimmed if any(_is_inside(span, run) for run in certain)]


def _mark(text: str, spans: Iterable[Span]) -> bytearray:
    marks = bytearray(len(text))
    for start, stop in spans:
        marks[start:stop] = b"\x01" * (stop - start)
    return marks


def _trim(text: str, span: Span) -> Span:
    inner = text[span.start : span.stop]
    return Span(span.stop - len(inner.lstrip()), span.start + len(inner.rstrip()))


def _is_inside(span: Span, run: Span) -> bool:
    return run.start <= span.start and span.stop <= run.stop


def _with_hidden_strings(text: str, strings: Iterable[Span]) -> str:
    """The text, as long as before, in which no string holds white space."""
    parts, end = [], 0
    for start, stop in sorted(strings):
        if stop > end:
            parts += [text[end : max(start, end)], text[max(start, end) : stop].translate(_HIDDEN)]
            end = stop
    return "".join([*parts, text[end:]])


def _without_comments(text: str, comments: Iterable[Span], language: str) -> str:
    parts, end = [], 0
    for start, stop in comments:
        # In JavaScript, Go and others a comment over several lines ends a line as a newline does.
        gap = "\n" if "\n" in text[start:stop] else "" if language in _MARKUP else " "
        parts += [text[end:start], gap]
        end = stop
    return "".join([*parts, text[end:]])


def _fold(line: str, keep_indentation: bool) -> str:
    text = _WHITE.sub(" ", line.strip(_ENDS))
    if not keep_indentation:
        return text
    return line[: len(line) - len(line.lstrip(_BLANKS))] + text
