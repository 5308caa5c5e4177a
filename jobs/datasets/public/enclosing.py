"""Enclosing definitions: which function or class of a whole file a change stands in, by its syntax tree."""

from __future__ import annotations

from jobs.datasets.examples import syntax
from jobs.datasets.examples.diff import Around, code_lines

# Node types of the grammars; functions without a name (arrow_function, func_literal) are too small to tell
# more than the lines around a change do.
_DEFINITIONS = frozenset({
    "function_definition", "function_declaration", "function_item", "method_declaration", "method_definition",
    "method", "singleton_method", "constructor_declaration", "generator_function_declaration",
    "class_definition", "class_declaration", "class", "class_specifier", "struct_specifier", "struct_item",
    "interface_declaration", "trait_declaration", "trait_item", "impl_item", "object_declaration",
    "enum_declaration", "record_declaration", "decorated_definition", "block",
})  # fmt: skip
_HCL_ONLY = "block"  # other grammars call any braces a block
LONGEST = 200  # lines: longer ones fit no usual max_seq_length


def finder(code: str, language: str | None) -> Around | None:
    """What finds the smallest definition around some lines of a file.

    Args:
        code: The whole file.
        language: Its fence tag.

    Returns:
        None where there is no grammar for the language. The finder gives None where the lines stand in no
        definition, or in one of more than LONGEST lines.
    """
    try:
        lines = code_lines(code)
        root = syntax.tree("\n".join(lines), language or "")
    except KeyError:
        return None
    kinds = _DEFINITIONS if language == "hcl" else _DEFINITIONS - {_HCL_ONLY}

    def around(first: int, last: int) -> tuple[int, int] | None:
        head, tail = lines[first - 1], lines[last - 1].rstrip()
        # Points count bytes; the indentation belongs to what is around.
        begin = len(head.encode("utf-8", "surrogatepass")) - len(
            head.lstrip().encode("utf-8", "surrogatepass")
        )
        end = len(tail.encode("utf-8", "surrogatepass"))
        node = root.descendant_for_point_range((first - 1, begin), (last - 1, end))
        while node is not None and node.type not in kinds:
            node = node.parent
        if node is None:
            return None
        if node.parent is not None and node.parent.type == "decorated_definition":
            node = node.parent
        start, stop = node.start_point[0] + 1, node.end_point[0] + 1
        fits = start <= first and last <= stop and stop - start < LONGEST
        return (start, stop) if fits else None

    return around


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
