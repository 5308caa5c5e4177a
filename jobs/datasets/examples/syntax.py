"""Syntax: how many faults a piece of code has, by its format's own parser or a tree-sitter grammar.

A snippet is rarely a whole file, so a number alone says little; what counts is that a fix has no more faults
than the code it replaces.
"""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import ParseError

import yaml
from defusedxml import DefusedXmlException, ElementTree

from jobs.grammars import GRAMMARS, PHP_FRAGMENT, parse

_DOCKER = frozenset({
    "ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER",
    "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR",
})  # fmt: skip
_HERE_DOCUMENT = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
# Name, extras, then version clauses (PEP 508 without the markers' inner grammar).
_REQUIREMENT = re.compile(
    r"[A-Za-z0-9][\w.-]*\s*(\[[\w.,\s-]*\])?\s*((===|[=!~<>]=|[<>])\s*[\w.*+!-]+\s*(,\s*|$|(?=;)))*(;.*)?"
)
_GO_MODULE = re.compile(
    r"(module|go|toolchain)\s+\S+"
    r"|(require|exclude)\s+\S+\s+v\d\S*(\s*//.*)?"
    r"|(require|exclude|replace|retract)\s*\(|\)|[^\s()]+\s+v\d\S*(\s*//.*)?"
    r"|(replace\s+)?\S+(\s+v\S+)?\s+=>\s+\S+(\s+v\S+)?|retract\s+.+|//.*"
)


def faults(code: str, tag: str | None) -> int | None:
    """How many faults a parser finds.

    Args:
        code: A whole document or a snippet of one; a common indentation does not count.
        tag: The language tag of its fence.

    Returns:
        0 where it parses; None where no parser is known for the tag.
    """
    if tag is None:
        return None
    text = textwrap.dedent(code)
    if tag in _FORMATS:
        return _FORMATS[tag](text)
    language = PHP_FRAGMENT if tag == "php" and "<?" not in code else tag
    return _tree_faults(text, language) if language in GRAMMARS else None


def _tree_faults(code: str, language: str) -> int:
    count, waiting = 0, [parse(code, language)]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            count += 1
        if node.has_error:
            waiting.extend(node.children)
    return count


def _fails(parse: Callable[[str], Any], errors: tuple[type[Exception], ...]) -> Callable[[str], int]:
    def check(text: str) -> int:
        try:
            parse(text)
        except errors:
            return 1
        return 0

    return check


def _yaml(text: str) -> None:
    for _ in yaml.compose_all(text, Loader=yaml.SafeLoader):
        pass


def _xml(text: str) -> None:
    # A fragment of a document may have several roots, a whole document its declaration.
    ElementTree.fromstring(text if text.lstrip().startswith("<?xml") else f"<_>{text}</_>")


def _properties(text: str) -> int:
    lines = [line.strip() for line in text.split("\n")]
    return sum(
        1 for line in lines if line and line[0] not in "#!" and not re.match(r"[\w.\-\[\]]+\s*[=:]", line)
    )


def _requirements(text: str) -> int:
    return _count_unmatched(text, _REQUIREMENT)


def _go_module(text: str) -> int:
    return _count_unmatched(text, _GO_MODULE) + abs(text.count("(") - text.count(")"))


def _count_unmatched(text: str, pattern: re.Pattern[str]) -> int:
    lines = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.split("\n")]
    return sum(1 for line in lines if line and not pattern.fullmatch(line))


def _dockerfile(text: str) -> int:
    count, lines = 0, iter(text.split("\n"))
    for line in lines:
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        word, _, rest = bare.partition(" ")
        count += word.upper() not in _DOCKER or not rest.strip()
        here = _HERE_DOCUMENT.search(bare) if word.upper() in {"RUN", "COPY"} else None
        end = here[1] if here else None
        count += not _skip_continuation(bare, end, lines)
    return count


def _skip_continuation(line: str, end: str | None, lines: Any) -> bool:
    """Skip what belongs to an instruction; False where the text ends in the middle of it."""
    while line.endswith("\\") or line.startswith("#"):
        line = next(lines, "").strip()
        if not line:
            return False
    return end is None or any(each.strip() == end for each in lines)


def _nginx(text: str) -> int:
    """Braces close, and every directive ends in `;` or opens a block."""
    bare = re.sub(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', "_", text)
    lines = [re.sub(r"#.*", "", line).strip() for line in bare.split("\n")]
    open_ends = sum(1 for line in lines if line and line[-1] not in ";{}")
    return open_ends + abs(bare.count("{") - bare.count("}"))


_FORMATS: dict[str, Callable[[str], int]] = {
    "dockerfile": _dockerfile,
    "go.mod": _go_module,
    "json": _fails(json.loads, (ValueError,)),
    "nginx": _nginx,
    "properties": _properties,
    "requirements": _requirements,
    "toml": _fails(tomllib.loads, (tomllib.TOMLDecodeError,)),
    "xml": _fails(_xml, (ParseError, DefusedXmlException)),
    "yaml": _fails(_yaml, (yaml.YAMLError,)),
}
