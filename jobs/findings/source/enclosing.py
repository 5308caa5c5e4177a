"""The function or class around a place in a source file, found with tree-sitter where there is a grammar."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from jobs.findings.model.finding import Context
from jobs.grammars import Grammar, grammar_of_path, node_around, parse

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_CONTEXT_LINES = 400


@dataclass(frozen=True)
class SourceFile:
    """A source file: its path below the checkout, its bytes, its lines without their ends."""

    path: str
    data: bytes
    lines: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Split the text as tree-sitter counts its rows: at newlines only."""
        text = self.data.decode("utf-8", "replace")
        lines = tuple(line.removesuffix("\r") for line in text.split("\n"))
        object.__setattr__(self, "lines", lines[:-1] if lines[-1] == "" else lines)


def enclosing(source: SourceFile, start: int, end: int) -> Context | None:
    """The smallest named function, method or class that holds the lines `start` to `end` (1-based).

    Returns:
        None outside of any, or where there is no grammar for the file. Its code is left out where it
        has more than 400 lines.
    """
    grammar = grammar_of_path(source.path)
    if grammar is None or start > len(source.lines):
        return None
    functions = grammar.functions | grammar.function_values
    last = min(max(start, end), len(source.lines))
    node = node_around(_Trees.of(source, grammar), source.lines, start, last)
    while node is not None:
        definition = grammar.definition(node, functions | grammar.classes)
        name = _name(definition) if definition is not None else None
        if definition is not None and name:
            kind = "function" if definition.type in functions else "class"
            return _context(source, grammar.with_decorators(definition), kind, name)
        node = node.parent
    return None


class _Trees:
    """The last file's tree: findings come file by file."""

    _last: tuple[SourceFile, Node] | None = None

    @classmethod
    def of(cls, source: SourceFile, grammar: Grammar) -> Node:
        """The root of a file's tree."""
        last = cls._last
        if last is None or last[0] is not source:
            last = (source, parse(source.data, grammar.language))
            cls._last = last
        return last[1]


def _name(node: Node) -> str | None:
    for candidate in _name_nodes(node):
        found = candidate.text
        if found:
            return found.decode("utf-8", "replace")[:200]
    return None


def _name_nodes(node: Node) -> Iterator[Node]:
    """Where a definition's name can stand: its field, its declarator (C), what it is assigned to."""
    name = node.child_by_field_name("name") or node.child_by_field_name("type")
    declarator = node.child_by_field_name("declarator")
    if name is not None and declarator is None:
        yield name
    while declarator is not None:
        inner = declarator.child_by_field_name("declarator")
        if inner is None:
            yield declarator
        declarator = inner
    if name is None:
        yield from (child for child in node.named_children if child.type == "type_identifier")
        parent = node.parent
        if parent is not None and parent.type in {"variable_declarator", "assignment_expression", "pair"}:
            for key in ("name", "left", "key"):
                if (target := parent.child_by_field_name(key)) is not None:
                    yield target


def _context(source: SourceFile, node: Node, kind: str, name: str) -> Context:
    first, last = node.start_point[0] + 1, node.end_point[0] + 1
    fits = last - first < MAX_CONTEXT_LINES
    code = "\n".join(source.lines[first - 1 : last]) if fits else None
    return Context(
        kind=kind, name=name.partition("\n")[0], path=source.path, start_line=first, end_line=last, code=code
    )
