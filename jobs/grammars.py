"""The languages that we have a syntax tree for, one row each: their names, their files, their definitions.

The packages ship compiled grammars; each is loaded with the first text of its language, so that whoever only
asks for a language's name loads none.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """A language with a grammar.

    Attributes:
        language: Its name, which is also the tag of its Markdown fence.
        package: The Python package that holds the grammar.
        symbol: The package's function that gives it.
        suffixes: Of its files, as ".py".
        file_names: Of files that are written in it whatever their suffix, in lower case.
        words: What else it is called, in lower case.
        functions: Node types of functions, methods and constructors.
        function_values: Node types of functions that only what they are assigned to can name.
        classes: Node types of classes, and of what the language has in their place.
        wrappers: Node types that put something in front of a definition: decorators, `export`, `type`.
    """

    language: str
    package: str
    symbol: str = "language"
    suffixes: tuple[str, ...] = ()
    file_names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    functions: frozenset[str] = field(default_factory=frozenset)
    function_values: frozenset[str] = field(default_factory=frozenset)
    classes: frozenset[str] = field(default_factory=frozenset)
    wrappers: frozenset[str] = field(default_factory=frozenset)

    def definition(self, node: Node, kinds: frozenset[str]) -> Node | None:
        """The definition that a node is, or wraps; None where it is none of these kinds."""
        if node.is_named and node.type in kinds:  # the keyword `class` has that type too, without a name
            return node
        return self._wrapped(node, kinds)

    def with_decorators(self, definition: Node) -> Node:
        """A definition together with what stands in front of it."""
        around = definition.parent
        if around is None or self._wrapped(around, frozenset({definition.type})) is None:
            return definition
        return around

    def _wrapped(self, node: Node, kinds: frozenset[str]) -> Node | None:
        if node.type not in self.wrappers:
            return None
        inner = [child for child in node.named_children if child.type in kinds]
        return inner[0] if len(inner) == 1 else None


def _types(names: str) -> frozenset[str]:
    return frozenset(names.split())


_JAVASCRIPT = Grammar(
    language="javascript",
    package="tree_sitter_javascript",
    suffixes=(".js", ".mjs", ".cjs"),
    words=("js",),
    functions=_types("function_declaration generator_function_declaration method_definition"),
    function_values=_types("function_expression arrow_function generator_function"),
    classes=_types("class_declaration class"),
    wrappers=_types("export_statement"),
)
_TYPESCRIPT = replace(
    _JAVASCRIPT,
    language="typescript",
    package="tree_sitter_typescript",
    symbol="language_typescript",
    suffixes=(".ts", ".mts", ".cts"),
    words=("ts",),
    classes=_JAVASCRIPT.classes
    | _types("abstract_class_declaration interface_declaration enum_declaration module internal_module"),
)
_JAVA = Grammar(
    language="java",
    package="tree_sitter_java",
    suffixes=(".java",),
    functions=_types("method_declaration constructor_declaration compact_constructor_declaration"),
    classes=_types("class_declaration interface_declaration enum_declaration record_declaration"),
)
_PHP = Grammar(
    language="php",
    package="tree_sitter_php",
    symbol="language_php",
    suffixes=(".php", ".phtml", ".inc"),
    functions=_types("function_definition method_declaration"),
    function_values=_types("anonymous_function arrow_function"),
    classes=_types("class_declaration interface_declaration trait_declaration enum_declaration"),
)
# Node types of comments, in any of the grammars.
COMMENTS = _types("comment line_comment block_comment")
# Code that stands between `<?php` and `?>`, cut out without them.
PHP_FRAGMENT = "php-fragment"

_ROWS = (
    Grammar(
        language="bash",
        package="tree_sitter_bash",
        suffixes=(".sh", ".bash"),
        words=("sh", "shell"),
        functions=_types("function_definition"),
    ),
    Grammar(
        language="c",
        package="tree_sitter_c",
        suffixes=(".c", ".h"),
        functions=_types("function_definition"),
        classes=_types("struct_specifier"),
    ),
    Grammar(
        language="cpp",
        package="tree_sitter_cpp",
        suffixes=(".cpp", ".cc", ".cxx", ".hpp", ".hh", ".hxx"),
        words=("c++",),
        functions=_types("function_definition"),
        classes=_types("class_specifier struct_specifier"),
    ),
    Grammar(
        language="csharp",
        package="tree_sitter_c_sharp",
        suffixes=(".cs",),
        words=("c#", "cs"),
        functions=_types(
            "method_declaration constructor_declaration destructor_declaration local_function_statement"
        ),
        classes=_types(
            "class_declaration interface_declaration struct_declaration enum_declaration record_declaration"
        ),
    ),
    Grammar(
        language="go",
        package="tree_sitter_go",
        suffixes=(".go",),
        words=("golang",),
        functions=_types("function_declaration method_declaration"),
        function_values=_types("func_literal"),
        classes=_types("type_spec"),  # `type ( ... )` around them declares several
        wrappers=_types("type_declaration"),
    ),
    replace(
        _JAVA,
        language="groovy",
        package="tree_sitter_groovy",
        suffixes=(".groovy", ".gradle"),
        file_names=("jenkinsfile",),
        functions=_JAVA.functions | _types("function_definition"),
    ),
    # Terraform's resources; in other grammars any braces are a block.
    Grammar(
        language="hcl",
        package="tree_sitter_hcl",
        suffixes=(".hcl", ".tf"),
        words=("terraform",),
        classes=_types("block"),
    ),
    _JAVA,
    _JAVASCRIPT,
    replace(_JAVASCRIPT, language="jsx", suffixes=(".jsx",), words=()),
    Grammar(
        language="kotlin",
        package="tree_sitter_kotlin",
        suffixes=(".kt", ".kts"),
        words=("kt",),
        functions=_types("function_declaration secondary_constructor"),
        function_values=_types("anonymous_function lambda_literal"),
        classes=_types("class_declaration object_declaration companion_object"),
    ),
    _PHP,
    replace(_PHP, language=PHP_FRAGMENT, symbol="language_php_only", suffixes=()),
    Grammar(
        language="python",
        package="tree_sitter_python",
        suffixes=(".py", ".pyi"),
        words=("py",),
        functions=_types("function_definition"),
        classes=_types("class_definition"),
        wrappers=_types("decorated_definition"),
    ),
    Grammar(
        language="ruby",
        package="tree_sitter_ruby",
        suffixes=(".rb",),
        file_names=("gemfile", "rakefile"),
        words=("rb",),
        functions=_types("method singleton_method"),
        classes=_types("class module"),
    ),
    Grammar(
        language="rust",
        package="tree_sitter_rust",
        suffixes=(".rs",),
        words=("rs",),
        functions=_types("function_item"),
        classes=_types("struct_item enum_item trait_item impl_item"),
    ),
    _TYPESCRIPT,
    replace(_TYPESCRIPT, language="tsx", symbol="language_tsx", suffixes=(".tsx",), words=()),
)
GRAMMARS: dict[str, Grammar] = {grammar.language: grammar for grammar in _ROWS}
LANGUAGE_OF_SUFFIX = {suffix: grammar.language for grammar in _ROWS for suffix in grammar.suffixes}
LANGUAGE_OF_FILE_NAME = {name: grammar.language for grammar in _ROWS for name in grammar.file_names}
LANGUAGE_OF_WORD = {word: grammar.language for grammar in _ROWS for word in grammar.words}


def grammar_of_path(path: str) -> Grammar | None:
    """The grammar of a file, by its name; None where there is none."""
    pure = PurePosixPath(path)
    language = LANGUAGE_OF_FILE_NAME.get(pure.name.lower()) or LANGUAGE_OF_SUFFIX.get(pure.suffix.lower())
    return GRAMMARS[language] if language else None


def parse(code: str | bytes, language: str) -> Node:
    """The root of a text's syntax tree.

    Args:
        code: Text, or its bytes in UTF-8.
        language: A key of GRAMMARS.
    """
    data = code if isinstance(code, bytes) else code.encode("utf-8", "surrogatepass")
    return _parser(language).parse(data).root_node


@cache
def _parser(language: str) -> Parser:
    import tree_sitter

    grammar = GRAMMARS[language]
    load = getattr(importlib.import_module(grammar.package), grammar.symbol)
    return tree_sitter.Parser(tree_sitter.Language(load()))


def node_around(root: Node, lines: Sequence[str], first: int, last: int) -> Node | None:
    """The smallest node that holds some lines of a text.

    Args:
        root: The text's tree.
        lines: The text's lines without their ends.
        first: The first of the lines, from 1 on.
        last: The last of them, at least `first`.
    """
    head, tail = lines[first - 1], lines[last - 1]
    # Points count bytes; the indentation belongs to what is around.
    begin = _bytes(head[: len(head) - len(head.lstrip())])
    end = _bytes(tail.rstrip())
    return root.descendant_for_point_range((first - 1, begin), (last - 1, max(begin, end)))


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
