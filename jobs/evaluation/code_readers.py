"""Two independent readers of code, each of which says where its comments and its strings are.

The first is a lexer of Pygments. Lexers guess: they take a bash here-document for ended where its word stands
inside a longer one, a JSX text for code, the C between `#if 0` and `#endif` for a comment. So a second reader
looks as well: the language's grammar, YAML's own parser, or patterns for what has neither.
"""

from __future__ import annotations

import re
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml
from pygments.lexers import find_lexer_class_by_name
from pygments.token import Token

from jobs.evaluation.comment_patterns import PATTERNS, Patterns
from jobs.grammars import COMMENTS, PHP_FRAGMENT, parse

if TYPE_CHECKING:
    from tree_sitter import Node


class Span(NamedTuple):
    """A part of a text: `start` inclusive, `stop` exclusive, in characters."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class CodeParts:
    """Where the comments and the strings of a text are, each in order."""

    comments: list[Span] = field(default_factory=list)
    strings: list[Span] = field(default_factory=list)


# Language: the lexer's name. A language is here only if a second reader knows it too.
_LEXERS = {
    "bash": "bash", "c": "c", "cmake": "cmake", "conf": "apacheconf", "cpp": "cpp", "csharp": "csharp",
    "css": "css", "cython": "cython", "dart": "dart", "dockerfile": "docker", "elixir": "elixir", "go": "go",
    "groovy": "groovy", "hcl": "terraform", "html": "html", "java": "java", "javascript": "javascript",
    "jsx": "jsx", "kotlin": "kotlin", "lua": "lua", "makefile": "makefile", "nginx": "nginx",
    "objectivec": "objectivec", "perl": "perl", "php": "php", "properties": "properties", "python": "python",
    "r": "r", "ruby": "ruby", "rust": "rust", "scala": "scala", "scss": "scss", "sql": "sql",
    "swift": "swift", "toml": "toml", "tsx": "tsx", "typescript": "typescript", "xml": "xml", "yaml": "yaml",
    "zig": "zig",
}  # fmt: skip
LANGUAGES = frozenset(_LEXERS)
# Docker takes such lines out of an instruction that goes on; the lexer takes them for the shell's words.
_CONTINUED = re.compile(r"(?<=\\\n)(?:[ \t]*#[^\n]*\n)+")
_HERE_DOCUMENT = re.compile(
    r"(?<!<)<<(?!<)(?P<dash>-?)[ \t]*(?P<quote>[\"'])?(?P<word>(?(quote)[^\"'\n]+|\\?[^\s\"'\\;|&<>()]+))"
)
# What opens and closes a string over several lines: an odd number, and the text begins or ends in one.
_STRING_MARKS = {
    **dict.fromkeys(("python", "cython", "groovy", "dart"), ('"""', "'''")),
    **dict.fromkeys(("csharp", "java", "kotlin", "scala", "swift"), ('"""',)),
    **dict.fromkeys(("go", "javascript", "jsx", "tsx", "typescript"), ("`",)),
}
_WITH_MARKUP = frozenset({"javascript", "jsx", "tsx"})
# Preprocessor lines, attributes and `#!` lines have names below Comment, and are none.
_NO_COMMENTS = (Token.Comment.Preproc, Token.Comment.PreprocFile, Token.Comment.Hashbang)
_STRINGS = (Token.Literal.String, Token.Literal.Scalar)
# Node types of strings; those that only gather several, with white space between them, are left out.
_STRING_NODE = re.compile(
    r"(?!concatenated|chained|.*array).*(string|heredoc_body|heredoc_template|nowdoc|quoted_template|char|regex)"
)


def read_with_lexer(code: str, language: str) -> CodeParts:
    """What Pygments says of a text.

    Args:
        code: Lines that end in a newline.
        language: One of LANGUAGES.
    """
    found = CodeParts()
    for start, kind, value in _lexer(code, language).get_tokens_unprocessed(code):
        span = Span(start, start + len(value))
        if kind in Token.Comment:
            if not any(kind in other for other in _NO_COMMENTS):
                found.comments.append(span)
        elif any(kind in string for string in _STRINGS) and value != "\\\n":  # a line that goes on
            found.strings.append(span)
    if language == "dockerfile":
        found.comments.extend(Span(*match.span()) for match in _CONTINUED.finditer(code))
    return found


def _lexer(code: str, language: str) -> Any:
    kind = _lexer_class(_LEXERS[language])
    # Some keep state between texts, so each text has a lexer of its own.
    return kind(startinline="<?" not in code) if language == "php" else kind()


@cache
def _lexer_class(name: str) -> Any:
    return find_lexer_class_by_name(name)


def read_again(code: str, language: str, first: CodeParts) -> CodeParts | None:
    """What the second reader says of a text.

    Args:
        code: As for the first.
        language: One of LANGUAGES.
        first: What the first reader said.

    Returns:
        None where the text holds something that the second reader knows it cannot read.
    """
    if any(code.count(mark) % 2 for mark in _STRING_MARKS.get(language, ())):
        return None
    if language == "yaml":
        return _read_yaml(code, first.comments)
    if language in PATTERNS:
        return _read_with_patterns(code, PATTERNS[language])
    grammar = {"cython": "python", "php": "php" if "<?" in code else PHP_FRAGMENT}.get(language, language)
    found = _read_tree(code, grammar)
    if found is not None and language == "bash":
        documents = find_here_documents(code)
        found.strings.extend(documents)
        found.comments[:] = [span for span in found.comments if not _overlaps(span, documents)]
    return found


def _overlaps(span: Span, others: list[Span]) -> bool:
    return any(span.start < other.stop and other.start < span.stop for other in others)


def find_here_documents(code: str) -> list[Span]:
    """The here-documents of a shell script with their last lines; one that nothing ends reaches to the end.

    The grammar loses its way where several begin on one line, and where a line begins with the end's word.
    """
    found, waiting, at, begin = [], deque[tuple[str, bool]](), 0, 0
    for line in code.split("\n"):
        end = at + len(line)
        if not waiting:
            starts = [] if "((" in line else _HERE_DOCUMENT.finditer(line)  # a shift in arithmetic
            waiting.extend((match["word"].removeprefix("\\"), match["dash"] == "-") for match in starts)
            begin = end + 1
        elif _ends(line, *waiting[0]):
            found.append(Span(begin, end))
            waiting.popleft()
            begin = end + 1
        at = end + 1
    return [*found, Span(min(begin, len(code)), len(code))] if waiting else found


def _ends(line: str, word: str, takes_tabs: bool) -> bool:
    return (line.lstrip("\t") if takes_tabs else line) == word


def _read_with_patterns(code: str, patterns: Patterns) -> CodeParts | None:
    if patterns.unreadable is not None and patterns.unreadable.search(code):
        return None
    found = CodeParts()
    for match in patterns.tokens.finditer(code):
        if match.lastgroup == "opening":
            return None
        if match.lastgroup == "comment":
            found.comments.append(Span(*match.span()))
        elif match.lastgroup == "string":
            found.strings.append(Span(*match.span()))
    return found


def _read_tree(code: str, grammar: str) -> CodeParts | None:
    root = parse(code, grammar)
    if root.has_error and "</" in code and grammar in _WITH_MARKUP:
        return None  # a part that was cut out of an element: what is text in it looks like code
    at = _character_offsets(code)
    found = CodeParts()
    for node in _topmost(root):
        span = Span(at[node.start_byte], at[node.end_byte])
        (found.comments if node.type in COMMENTS else found.strings).append(span)
    return found


def _topmost(root: Node) -> Iterator[Node]:
    """Comments and strings, but what is inside a string only where it is a comment."""
    waiting = [(root, False)]
    while waiting:
        node, in_string = waiting.pop()
        is_string = node.is_named and bool(_STRING_NODE.fullmatch(node.type))
        if node.type in COMMENTS or (is_string and not in_string):
            yield node
        if node.type not in COMMENTS:
            waiting.extend((child, in_string or is_string) for child in reversed(node.children))


def _character_offsets(code: str) -> array[int]:
    """Of each byte of the text in UTF-8, and of its end, the character it belongs to."""
    offsets = array("L")
    for number, character in enumerate(code):
        offsets.extend([number] * len(character.encode("utf-8", "surrogatepass")))
    offsets.append(len(code))
    return offsets


def _read_yaml(code: str, comments: list[Span]) -> CodeParts | None:
    """YAML means the same without its comments, or they are none; without a parse nothing is known."""
    try:
        scalars = [token for token in yaml.scan(code) if isinstance(token, yaml.ScalarToken)]
        if _events(code) != _events(_cut(code, comments)):
            return None
    except yaml.YAMLError:
        return None
    return CodeParts(comments, [_scalar_span(code, token) for token in scalars])


def _scalar_span(code: str, token: yaml.ScalarToken) -> Span:
    """A scalar's text; of a block scalar neither the line with its `|` nor the end of its last line."""
    start, stop = token.start_mark.index, token.end_mark.index
    if token.style in {"|", ">"}:
        start, stop = code.index("\n", start) + 1, stop - (code[stop - 1] == "\n")
    return Span(start, max(start, stop))


def _cut(code: str, spans: list[Span]) -> str:
    starts, stops = [0, *(span.stop for span in spans)], [*(span.start for span in spans), len(code)]
    return "".join(code[start:stop] for start, stop in zip(starts, stops, strict=True))


def _events(code: str) -> list[tuple[object, ...]]:
    told = ("value", "tag", "anchor")
    return [
        (type(event), *(getattr(event, name, None) for name in told))
        for event in yaml.parse(code, Loader=yaml.SafeLoader)
    ]
