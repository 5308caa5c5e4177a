"""Comments that change what a program does: they have a comment's form and are none.

What only other tools read (a linter's or scanner's switch, a type checker's `# type:`) changes nothing about
the program, and stays a comment.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from jobs.evaluation.code_readers import Span

# What is carried out, or ends a line, wherever it stands.
_LINE_ENDS = re.compile("[\r\f\x85\u2028\u2029]")
_SCHEDULERS = r"\#(?:SBATCH|PBS|BSUB)\b|\#\$ -"
_JAVASCRIPT = (
    r"/\*\*?\s*@jsx|.*@jsx(?:Runtime|Frag|ImportSource)?\s|.*[\#@]__(?:PURE|NO_SIDE_EFFECTS)__"
    r"|.*\bwebpack\w+\s*:|.*@vite-ignore|///\s*<(?:reference|amd)|/[/*]@(?:cc_on|if|set)"
)
# Servers and template engines carry out what stands in a comment; old browsers read conditional ones.
_MARKUP = r"<!--\s*(?:\[if\b|<!\[endif|\#|esi\b|/?ko\b)|.*(?:\{\{|\{%|<%|<\?|\$\{|\#\{|@\{|<!\[)"
_CLOUD = r"\#(?:cloud-(?:config|boothook|config-archive)|include|part-handler|upstart-job)\b"
_RUBY = r"\#\s*(?:-\*-|(?:frozen[_-]string[_-]literal|(?:en)?coding|warn[_-]indent|shareable[_-]constant)\b)"
# Unicode escapes are read before comments are: one may end the comment.
_UNICODE = r".*\\u"

_PATTERNS = {
    "bash": _SCHEDULERS,
    "c": r".*\?\?/",  # the trigraph of a backslash: the next line belongs to the comment
    "cpp": r".*\?\?/",
    "cython": r"\#\s*(?:cython|distutils)\s*:",
    "dart": r"//\s*@dart\b",
    "go": r"//go:|//\s*\+build\b|//export\s|//extern\s|/[/*]line\s",
    "groovy": _UNICODE,
    "html": _MARKUP,
    "java": _UNICODE,
    **dict.fromkeys(("javascript", "jsx", "typescript", "tsx"), _JAVASCRIPT),
    "makefile": r".*\\$",  # the next line belongs to the comment
    "r": r"\#'",  # roxygen writes the package's exports by it
    "ruby": _RUBY,
    "scala": rf"//>|{_UNICODE}",
    "sql": r"/\*[!+M]|--\s*\+",  # carried out by MySQL and MariaDB, hints for Oracle
    "swift": r"//\s*swift-tools-version",
    "xml": _MARKUP,
}
_COMPILED = {
    language: re.compile(pattern, re.DOTALL | re.IGNORECASE) for language, pattern in _PATTERNS.items()
}
_CODING = re.compile(r"#.*?coding[:=]")
_DOCKER = re.compile(r"#\s*(?:syntax|escape|check)\s*=", re.IGNORECASE)
_DOCKER_HEAD = re.compile(r"(?:\s*#\s*\w+\s*=[^\n]*\n)*\s*")
_CGO = re.compile(
    r'(?:[ \t]*\n?[ \t]*(?://[^\n]*|/\*(?:(?!\*/).)*\*/))*[ \t]*\n[ \t]*import\s+"C"', re.DOTALL
)


def is_directive(code: str, span: Span, language: str) -> bool:
    """Whether a comment changes what the program does.

    Args:
        code: The whole text.
        span: The comment.
        language: The text's language.
    """
    comment = code[span.start : span.stop]
    if comment.startswith("#!") and span.start == 0:
        return True
    if _LINE_ENDS.search(comment) or _continues(code, span, language):
        return True
    pattern = _COMPILED.get(language)
    if pattern is not None and pattern.match(comment):
        return True
    judge = _JUDGES.get(language)
    return judge is not None and judge(code, span)


def _continues(code: str, span: Span, language: str) -> bool:
    """Whether the comment's line is the rest of the line before it; Docker takes such lines out itself."""
    before = code[: span.start].rstrip(" \t")
    return before.endswith("\\\n") and language != "dockerfile"


def _is_coding(code: str, span: Span) -> bool:
    """The encoding of a Python file, in its first or second line (PEP 263)."""
    return code.count("\n", 0, span.start) < 2 and bool(_CODING.match(code, span.start, span.stop))


def _is_docker(code: str, span: Span) -> bool:
    """A parser directive stands before everything but its like."""
    return bool(_DOCKER.match(code, span.start) and _DOCKER_HEAD.fullmatch(code, 0, span.start))


def _is_cgo(code: str, span: Span) -> bool:
    """The comment right above `import "C"` is the C code that it imports."""
    return bool(_CGO.match(code, span.stop))


def _is_cloud(code: str, span: Span) -> bool:
    """cloud-init tells what a file is by its first line."""
    return span.start == 0 and bool(re.match(_CLOUD, code))


def _glues(code: str, span: Span) -> bool:
    """In CSS a comment between two names neither joins nor separates them."""
    return not code[span.start - 1 : span.start].isspace() and not code[span.stop : span.stop + 1].isspace()


_JUDGES: dict[str, Callable[[str, Span], bool]] = {
    "css": _glues,
    "cython": _is_coding,
    "dockerfile": _is_docker,
    "go": _is_cgo,
    "python": _is_coding,
    "scss": _glues,
    "yaml": _is_cloud,
}
