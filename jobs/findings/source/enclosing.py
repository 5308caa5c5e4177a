"""The function or class around a place in a source file, found with tree-sitter where there is a grammar."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from jobs.findings.model.finding import Context

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

MAX_CONTEXT_LINES = 400
# File suffix: the grammar's module and its function; the packages ship compiled grammars, none is downloaded.
_GRAMMARS = {
    "py pyi": ("tree_sitter_python", "language"),
    "js jsx mjs cjs": ("tree_sitter_javascript", "language"),
    "ts mts cts": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "java": ("tree_sitter_java", "language"),
    "go": ("tree_sitter_go", "language"),
    "c h": ("tree_sitter_c", "language"),
    "cc cpp cxx hpp hh hxx": ("tree_sitter_cpp", "language"),
    "php": ("tree_sitter_php", "language_php"),
    "rb": ("tree_sitter_ruby", "language"),
    "kt kts": ("tree_sitter_kotlin", "language"),
    "rs": ("tree_sitter_rust", "language"),
    "cs": ("tree_sitter_c_sharp", "language"),
}
_BY_SUFFIX = {suffix: grammar for suffixes, grammar in _GRAMMARS.items() for suffix in suffixes.split()}
_FUNCTION_NODES = """
    function_definition function_declaration function_item function_expression arrow_function
    generator_function generator_function_declaration method_definition method_declaration method
    singleton_method constructor_declaration compact_constructor_declaration destructor_declaration
    secondary_constructor anonymous_function anonymous_function_creation_expression local_function_statement
    func_literal lambda_literal
"""
_CLASS_NODES = """
    class_definition class_declaration class class_specifier struct_specifier interface_declaration
    object_declaration companion_object enum_declaration record_declaration struct_declaration
    trait_declaration module impl_item trait_item struct_item enum_item type_declaration
"""
_FUNCTIONS, _CLASSES = frozenset(_FUNCTION_NODES.split()), frozenset(_CLASS_NODES.split())
_WRAPPERS = frozenset({"decorated_definition", "export_statement"})


@dataclass(frozen=True)
class Source:
    """A source file: its path below the checkout, its bytes, its lines without their ends."""

    path: str
    data: bytes
    lines: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Split the text as tree-sitter counts its rows: at newlines only."""
        text = self.data.decode("utf-8", "replace")
        lines = tuple(line.removesuffix("\r") for line in text.split("\n"))
        object.__setattr__(self, "lines", lines[:-1] if lines[-1] == "" else lines)


def enclosing(source: Source, start: int, end: int) -> Context | None:
    """The smallest named function, method or class that holds the lines `start` to `end` (1-based).

    Returns:
        None outside of any, or where no grammar for the file is installed. Its code is left out where it
        has more than 400 lines.
    """
    node = _node(source, start, end)
    while node is not None:
        kind = _kind(node)
        name = _name(node) if kind else None
        if kind and name:
            return _context(source, node, kind, name)
        node = node.parent
    return None


def _node(source: Source, start: int, end: int) -> Node | None:
    parser = _parser(PurePosixPath(source.path).suffix[1:].lower())
    if parser is None or start > len(source.lines):
        return None
    end = min(max(start, end), len(source.lines))
    first, last = source.lines[start - 1], source.lines[end - 1]
    # Columns count bytes; leading blanks belong to the node around.
    column = len(first[: len(first) - len(first.lstrip())].encode("utf-8", "replace"))
    tree = _Trees.of(parser, source)
    span = (start - 1, column), (end - 1, max(column, len(last.rstrip().encode("utf-8", "replace"))))
    found: Node | None = tree.descendant_for_point_range(*span)
    return found


class _Trees:
    """The last file's tree: findings come file by file."""

    _last: tuple[Source, Node] | None = None

    @classmethod
    def of(cls, parser: Parser, source: Source) -> Node:
        """The root of a file's tree."""
        last = cls._last
        if last is None or last[0] is not source:
            last = (source, parser.parse(source.data).root_node)
            cls._last = last
        return last[1]


@lru_cache(maxsize=32)
def _parser(suffix: str) -> Parser | None:
    grammar = _BY_SUFFIX.get(suffix)
    if grammar is None:
        return None
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        module = importlib.import_module(grammar[0])
    except ImportError:  # the extra `context` is not installed
        return None
    language = tree_sitter.Language(getattr(module, grammar[1])())
    parser: Parser = tree_sitter.Parser(language)
    return parser


def _kind(node: Node) -> str | None:
    if not node.is_named:
        return None  # the keyword `class` is a node of that type too
    return "function" if node.type in _FUNCTIONS else "class" if node.type in _CLASSES else None


def _name(node: Node) -> str | None:
    for candidate in _named(node):
        found = candidate.text
        if found:
            return found.decode("utf-8", "replace")[:200]
    return None


def _named(node: Node) -> Iterator[Node]:
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
        yield from (child for child in node.named_children if child.type in {"type_identifier", "type_spec"})
        parent = node.parent
        if parent is not None and parent.type in {"variable_declarator", "assignment_expression", "pair"}:
            for key in ("name", "left", "key"):
                if (target := parent.child_by_field_name(key)) is not None:
                    yield target


def _context(source: Source, node: Node, kind: str, name: str) -> Context:
    if node.parent is not None and node.parent.type in _WRAPPERS:
        node = node.parent
    first, last = node.start_point[0] + 1, node.end_point[0] + 1
    fits = last - first < MAX_CONTEXT_LINES
    code = "\n".join(source.lines[first - 1 : last]) if fits else None
    return Context(
        kind=kind, name=name.partition("\n")[0], path=source.path, start_line=first, end_line=last, code=code
    )
