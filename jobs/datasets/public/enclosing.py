"""Enclosing definitions: which function or class of a whole file a change stands in, by its syntax tree."""

from __future__ import annotations

from jobs.datasets.examples.diff import Around, code_lines
from jobs.grammars import GRAMMARS, node_around, parse

LONGEST = 200  # lines: longer ones fit no usual max_seq_length


def finder(code: str, language: str | None) -> Around | None:
    """What finds the smallest definition around some lines of a file.

    Function values (arrow functions, lambdas) do not count: they are too small to tell more than the lines
    around a change do.

    Args:
        code: The whole file.
        language: Its fence tag.

    Returns:
        None where there is no grammar for the language. The finder gives None where the lines stand in no
        definition, or in one of more than LONGEST lines.
    """
    grammar = GRAMMARS.get(language or "")
    if grammar is None:
        return None
    lines = code_lines(code)
    root = parse("\n".join(lines), grammar.language)
    kinds = grammar.functions | grammar.classes

    def around(first: int, last: int) -> tuple[int, int] | None:
        node, definition = node_around(root, lines, first, last), None
        while node is not None and definition is None:
            definition = grammar.definition(node, kinds)
            node = node.parent
        if definition is None:
            return None
        whole = grammar.with_decorators(definition)
        start, stop = whole.start_point[0] + 1, whole.end_point[0] + 1
        fits = start <= first and last <= stop and stop - start < LONGEST
        return (start, stop) if fits else None

    return around
