"""Take comments out of code and fold its white space, for comparing what the code does, not how it looks.

The strings of a language are recognised so that what looks like a comment inside one stays. A language
that is not listed keeps its comments: a match too few is better than one too many.
"""

from __future__ import annotations

import re
from functools import cache

# A string ends on its own line, unless it is a kind that may go on.
_DOUBLE = r'"(?:\\.|[^"\\\n])*"'
_SINGLE = r"'(?:\\.|[^'\\\n])*'"
_BACKTICK = r"`(?:\\.|[^`\\])*`"
_TRIPLE = r'"""(?:\\.|[^\\])*?"""' + r"|'''(?:\\.|[^\\])*?'''"
_SLASHES = r"//[^\n]*"
_STARS = r"/\*.*?\*/"
# `$#` and `a#b` are no comments: a hash begins one at a line's start or after white space.
_HASH = r"(?<!\S)\#[^\n]*"
_DASHES = r"--[^\n]*"
_MARKUP = r"<!--.*?-->"

# family: (kinds of strings, kinds of comments)
_FAMILIES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "c": ((_DOUBLE, _SINGLE), (_SLASHES, _STARS)),
    "script": ((_DOUBLE, _SINGLE, _BACKTICK), (_SLASHES, _STARS)),
    "jvm": ((_TRIPLE, _DOUBLE, _SINGLE), (_SLASHES, _STARS)),
    "php": ((_DOUBLE, _SINGLE), (_SLASHES, _STARS, _HASH)),
    "python": ((_TRIPLE, _DOUBLE, _SINGLE), (r"\#[^\n]*",)),
    "hash": ((_DOUBLE, _SINGLE), (_HASH,)),
    "hcl": ((_DOUBLE,), (_SLASHES, _STARS, _HASH)),
    "sql": ((_DOUBLE, _SINGLE), (_DASHES, _STARS)),
    "lua": ((_DOUBLE, _SINGLE), (r"--\[\[.*?\]\]", _DASHES)),
    "markup": ((), (_MARKUP,)),
    "css": ((_DOUBLE, _SINGLE), (_STARS,)),
}
_MEMBERS = {
    "c": "c cpp c++ csharp c# objectivec rust zig dart",
    "script": "javascript js jsx typescript ts tsx go golang",
    "jvm": "java kotlin scala groovy swift",
    "php": "php",
    "python": "python py cython",
    "hash": "ruby perl bash sh shell yaml yml toml dockerfile makefile r elixir properties conf cmake",
    "hcl": "hcl terraform",
    "sql": "sql",
    "lua": "lua",
    "markup": "html xml",
    "css": "css scss",
}
_FAMILY_OF = {language: family for family, members in _MEMBERS.items() for language in members.split()}
# Where the depth of a line is part of the program.
_INDENTED = frozenset("python py cython yaml yml pug haml coffeescript makefile".split())  # noqa: SIM905
_WHITE = re.compile(r"[^\S\n]+")


def without_comments(code: str, language: str | None) -> str:
    """The code without its comments; unchanged for a language that is not known here."""
    family = _FAMILY_OF.get((language or "").lower())
    if family is None:
        return code
    return _pattern(family).sub(lambda match: match["string"] or " ", code)


def normalised(code: str, language: str | None) -> str:
    """The code without comments and blank lines, each run of white space one space.

    Where the language gives the indentation a meaning, it is kept.
    """
    keep = (language or "").lower() in _INDENTED
    lines = [_folded(line, keep) for line in without_comments(code, language).split("\n")]
    return "\n".join(line for line in lines if line.strip())


def _folded(line: str, keep_indentation: bool) -> str:
    text = _WHITE.sub(" ", line.strip())
    if not keep_indentation:
        return text
    return line[: len(line) - len(line.lstrip())] + text


@cache
def _pattern(family: str) -> re.Pattern[str]:
    strings, comments = _FAMILIES[family]
    known = "|".join(strings) or r"(?!)"
    return re.compile(f"(?P<string>{known})|(?:{'|'.join(comments)})", re.DOTALL)
