"""Patterns for the comments and strings of languages that have no grammar here.

They are the second of two readers (`code_readers`): a pattern may well see less than there is, since what it
does not see is not taken out. What it could misread makes a text unreadable as a whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DOUBLE = r'"(?:\\.|[^"\\\n])*"'
_SINGLE = r"'(?:\\.|[^'\\\n])*'"
_TRIPLE = r'"""(?:\\.|[^\\])*?"""' + r"|'''(?:\\.|[^\\])*?'''"
_SLASHES = r"//[^\n]*"
_STARS = r"/\*(?:(?!/\*).)*?\*/"  # where the languages that nest comments and the others agree
_ADDRESS = r"(?i:url)\((?:\\.|[^)\\])*\)"
_RAW = "script|style|textarea|title|xmp|iframe|noembed|noframes|noscript"
_WHOLE_LINE = r"^[ \t]*\#[^\n]*"
# To the end of the text where nothing ends it: a part of a file may be cut there.
_HEREDOC = (
    r"^(?![ \t]*\#)[^\n]*<<[-~]?[ \t]*"
    r"(?:(?P<quote>[\"'])(?P<quoted>[^\"'\n]+)(?P=quote)|(?P<word>[A-Za-z_]\w*))[^\n]*\n"
    r"(?:(?:[^\n]*\n)*?[ \t]*(?:(?P=quoted)|(?P=word))$|.*)"
)


@dataclass(frozen=True, slots=True)
class Patterns:
    """How a language's texts are read.

    Attributes:
        tokens: Its matches are comments (group `comment`), strings (group `string`), something in which
            nothing looks for either (group `other`), or what opens a string that nothing closes (`opening`).
        unreadable: Found anywhere in a text, nothing of the text can be told.
    """

    tokens: re.Pattern[str]
    unreadable: re.Pattern[str] | None = None


def _patterns(
    comment: str, string: str = "", other: str = "", opening: str = "", unreadable: str = ""
) -> Patterns:
    groups = (("string", string), ("other", other), ("comment", comment), ("opening", opening))
    tokens = "|".join(f"(?P<{name}>{pattern})" for name, pattern in groups if pattern)
    flags = re.DOTALL | re.MULTILINE
    return Patterns(re.compile(tokens, flags), re.compile(unreadable, flags) if unreadable else None)


PATTERNS: dict[str, Patterns] = {
    "cmake": _patterns(
        r"\#\[(?P<level>=*)\[.*?\](?P=level)\]|\#[^\n]*",
        r'"(?:\\.|[^"\\])*"|\[(?P<depth>=*)\[.*?\](?P=depth)\]',
        opening=r'"|\[=*\[',
    ),
    "conf": _patterns(_WHOLE_LINE),
    # An address may be bare, and looks like a comment inside.
    "css": _patterns(_STARS, f"{_DOUBLE}|{_SINGLE}|{_ADDRESS}", opening=r"[\"']"),
    "dart": _patterns(
        f"{_SLASHES}|{_STARS}",
        f"r?(?:{_TRIPLE}|{_DOUBLE}|{_SINGLE})",
        opening=r"[\"']",
        unreadable=r"\$\{",
    ),
    "dockerfile": _patterns(_WHOLE_LINE, _HEREDOC),
    "elixir": _patterns(
        r"\#[^\n]*",
        f"{_DOUBLE}|{_SINGLE}",
        opening=r"[\"']",
        unreadable=r"~[A-Za-z]|\"\"\"|'''|\#\{|\?[\#\"']",
    ),
    "html": _patterns(
        r"<!--(?!-?>)(?:(?!--!?>|<!--).)*-->",
        # Text that looks like a comment inside of these is their content; attributes are as good as strings.
        other=rf"(?i:<(?P<raw>{_RAW})\b.*?</(?P=raw)\b)|<[/!?A-Za-z](?!--)(?:\"[^\"]*\"|'[^']*'|[^\"'>])*>",
        unreadable=rf"(?i:<plaintext\b|<({_RAW})\b(?!.*</\1\b))",
    ),
    "lua": _patterns(
        r"--\[(?P<level>=*)\[.*?\](?P=level)\]|--[^\n]*",
        f"{_DOUBLE}|{_SINGLE}|" + r"\[(?P<depth>=*)\[.*?\](?P=depth)\]",
        opening=r"[\"']|\[=*\[",
    ),
    # A line of a recipe is the shell's, and so is what looks like a comment in it.
    "makefile": _patterns(r"^ *\#[^\n]*", other=r"^define\b(?:.*?^endef\b|.*)"),
    "nginx": _patterns(
        r"(?<![^\s;{}])\#[^\n]*",
        r"(?<![^\s;{}])(?:\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')",
        opening=r"(?<![^\s;{}])[\"']",
        unreadable=r"_by_lua|\bjs_",
    ),
    "objectivec": _patterns(r"//(?:\\\n|[^\n])*" + f"|{_STARS}", f"{_DOUBLE}|{_SINGLE}", opening=r"[\"']"),
    # Almost any sign may quote in Perl: only comments on lines of their own are told for certain.
    "perl": _patterns(
        _WHOLE_LINE + r"|^=[A-Za-z]\w*\b.*?^=cut\b[^\n]*", _HEREDOC, other=r"^__(?:END|DATA)__\b.*"
    ),
    "properties": _patterns(r"^[ \t\f]*[\#!][^\n]*"),
    "r": _patterns(
        r"\#[^\n]*",
        r"\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`\n]*`",
        opening=r"[\"'`]",
        unreadable=r"\b[rR][\"']-*[(\[{]|%[^%\n]*\#",
    ),
    # XML may stand in Scala, and its text then looks like code.
    "scala": _patterns(
        f"{_SLASHES}|{_STARS}",
        f"{_TRIPLE}|{_DOUBLE}|" + r"'(?:\\.|[^'\\\n])'",
        opening='"',
        unreadable=r"</|/>|\$\{",
    ),
    "scss": _patterns(
        f"{_SLASHES}|{_STARS}", f"{_DOUBLE}|{_SINGLE}|{_ADDRESS}", opening=r"[\"']", unreadable=r"\#\{"
    ),
    # What a backslash does to a quote, and what a dollar, q' or [ quotes, depends on the database.
    "sql": _patterns(
        r"--(?=\s)[^\n]*" + f"|{_STARS}",
        r"'(?:''|[^'])*'|\"(?:\"\"|[^\"])*\"|`(?:``|[^`])*`",
        opening=r"[\"'`]",
        unreadable=r"\\['\"]|\$\w*\$|\b[nN]?[qQ]'|\[[^\]\n]*(?:--|/\*)",
    ),
    "swift": _patterns(
        f"{_SLASHES}|{_STARS}",
        f"{_TRIPLE}|{_DOUBLE}",
        opening='"',
        unreadable=r"\\\(|\#+[\"/]|(?<=[(=,:\[!&|{};\s])/[^/*\s]",
    ),
    "toml": _patterns(r"\#[^\n]*", f"{_TRIPLE}|{_DOUBLE}|" + r"'[^'\n]*'", opening=r"[\"']"),
    "xml": _patterns(
        r"<!--(?:(?!--).)*-->",
        other=r"<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<[/!A-Za-z_:](?!--)(?:\"[^\"]*\"|'[^']*'|[^\"'>])*>",
        opening=r"<!\[CDATA\[",
    ),
    "zig": _patterns(_SLASHES, f"{_DOUBLE}|{_SINGLE}|" + r"\\\\[^\n]*", opening=r"[\"']"),
}
