"""YAML: setting and removing keys in a document's text, and leaving every other byte as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


class CannotEdit(Exception):
    """The text is written in a way that the edit cannot be made in without guessing."""


@dataclass(frozen=True, slots=True)
class Splice:
    """Replace the text from start to end (character offsets, end exclusive)."""

    start: int
    end: int
    text: str


def documents(text: str) -> list[MappingNode]:
    """The documents that are mappings; none where the text does not parse or uses aliases.

    An alias stands for a node elsewhere, so that an edit of it would reach further than the finding.
    """
    return [node for node in workflow_parts(text) if isinstance(node, MappingNode)]


def workflow_parts(text: str) -> list[Node]:
    """A snippet's documents, mappings and sequences alike; none where it does not parse."""
    try:
        if any(
            isinstance(token, yaml.tokens.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)
        ):
            return []
        found = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return []
    return [node for node in found if isinstance(node, MappingNode | SequenceNode)]


def child(node: Node | None, *keys: str) -> Node | None:
    """The node below a mapping by its keys, or None."""
    for key in keys:
        if not isinstance(node, MappingNode):
            return None
        node = next((value for name, value in node.value if name.value == key), None)
    return node


def elements(node: Node | None) -> list[Node]:
    """The elements of a sequence; none of anything else."""
    return list(node.value) if isinstance(node, SequenceNode) else []


def set_value(text: str, mapping: Node | None, path: tuple[str, ...], value: Any) -> list[Splice]:
    """The splices after which the mapping has `value` below `path`.

    Args:
        text: The document.
        mapping: A mapping of it.
        path: Keys to go down through; those that are missing are made.
        value: A scalar, or mappings and lists of scalars.

    Raises:
        CannotEdit: What stands there is no mapping, or a flow mapping into which nesting does not fit.
    """
    if not isinstance(mapping, MappingNode):
        raise CannotEdit
    found = child(mapping, path[0])
    if found is None:
        for key in reversed(path[1:]):
            value = {key: value}
        return [_add_key(text, mapping, path[0], value)]
    if len(path) > 1 and not _is_empty(found):
        return set_value(text, found, path[1:], value)
    for key in reversed(path[1:]):
        value = {key: value}
    return _replace_value(text, mapping, path[0], value)


def remove_key(text: str, mapping: Node, key: str) -> list[Splice]:
    """The splices after which a block mapping lacks a key that it has beside others.

    Raises:
        CannotEdit: The key is the only one, or the mapping is written in flow style.
    """
    if not isinstance(mapping, MappingNode) or mapping.flow_style or len(mapping.value) < 2:
        raise CannotEdit
    place = next(number for number, (name, _) in enumerate(mapping.value) if name.value == key)
    name, value = mapping.value[place]
    start = name.start_mark.index
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip():  # "- key: ...": the next key takes its place behind the dash
        if place + 1 == len(mapping.value):
            raise CannotEdit
        return [Splice(start, mapping.value[place + 1][0].start_mark.index, "")]
    return [Splice(line_start, min(_line_end(text, _deep_end(text, value)) + 1, len(text)), "")]


def apply_splices(text: str, splices: list[Splice]) -> str:
    """The text with all splices made.

    Raises:
        CannotEdit: Two of them overlap.
    """
    before = len(text) + 1
    for splice in sorted(splices, key=lambda each: each.start, reverse=True):
        if splice.end > before:
            raise CannotEdit
        text = text[: splice.start] + splice.text + text[splice.end :]
        before = splice.start
    return text


def _is_empty(node: Node) -> bool:
    return not node.value if not isinstance(node, ScalarNode) else node.value in {"", "~", "null"}


def _add_key(text: str, mapping: MappingNode, key: str, value: Any) -> Splice:
    if mapping.flow_style:
        if isinstance(value, dict | list) or not mapping.value:
            raise CannotEdit
        end = mapping.value[-1][1].end_mark.index
        return Splice(end, end, f", {key}: {_scalar(value)}")
    indent = " " * mapping.value[0][0].start_mark.column
    end = _line_end(text, _deep_end(text, mapping))
    return Splice(end, end, "\n" + "\n".join(_lines(key, value, indent)))


def _replace_value(text: str, mapping: MappingNode, key: str, value: Any) -> list[Splice]:
    name, old = next(pair for pair in mapping.value if pair[0].value == key)
    flow = mapping.flow_style or (
        isinstance(old, MappingNode | SequenceNode) and bool(old.flow_style) and bool(old.value)
    )
    if isinstance(value, dict | list) and not flow:
        indent = " " * name.start_mark.column
        new = "\n".join(_lines(key, value, indent))[len(indent) :]
        return [Splice(name.start_mark.index, _deep_end(text, old), new)]
    if isinstance(value, dict):
        raise CannotEdit
    new = f"[{', '.join(map(_scalar, value))}]" if isinstance(value, list) else _scalar(value)
    if text[old.start_mark.index : _deep_end(text, old)] == new:
        return []
    gap = " " if old.start_mark.index == name.end_mark.index + 1 and isinstance(old, ScalarNode) else ""
    return [Splice(old.start_mark.index, _deep_end(text, old), gap + new)]


def _lines(key: str, value: Any, indent: str) -> list[str]:
    if isinstance(value, dict):
        return [
            f"{indent}{key}:",
            *(line for name, each in value.items() for line in _lines(name, each, indent + "  ")),
        ]
    if isinstance(value, list):
        return [f"{indent}{key}:", *(f"{indent}  - {_scalar(each)}" for each in value)]
    return [f"{indent}{key}: {_scalar(value)}"]


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _deep_end(text: str, node: Node) -> int:
    """The end of a node's last written character; a block collection's own mark is further on."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _deep_end(text, last[1] if isinstance(last, tuple) else last)
    end = int(node.end_mark.index)
    return len(text[:end].rstrip("\n")) if text[:end].endswith("\n") else end


def _line_end(text: str, place: int) -> int:
    end = text.find("\n", place)
    return len(text) if end < 0 else end
