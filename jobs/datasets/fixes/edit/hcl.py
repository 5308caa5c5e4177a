"""HCL: setting an attribute in a Terraform resource's text, and leaving every other byte as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jobs.grammars import parse

if TYPE_CHECKING:
    from tree_sitter import Node

Path = tuple[str, ...]


def resource_body(code: str, kinds: tuple[str, ...], address: str) -> Node | None:
    """The body of the one resource in `code`, where it is of one of the kinds and has the address's name.

    Args:
        code: Terraform with exactly one top-level block.
        kinds: Resource types, such as "aws_db_instance".
        address: The finding's resource, such as "module.a.aws_db_instance.main".
    """
    root = parse(code, "hcl")
    blocks = [block for body in root.children if body.type == "body" for block in _items(body, "block")]
    if root.has_error or len(blocks) != 1:
        return None
    words = [
        _text(child).strip('"') for child in blocks[0].children if child.type in {"identifier", "string_lit"}
    ]
    wanted = re.sub(r"\[[^\]]*\]$", "", address).split(".")[-2:]
    if len(words) != 3 or words[0] != "resource" or words[1] not in kinds or words[1:] != wanted:
        return None
    return _body(blocks[0])


def set_attribute(code: str, body: Node, path: Path, value: str, *, creates: bool) -> str | None:
    """`code` in which the attribute has the value.

    Args:
        code: The text that `body` was parsed from.
        body: The body of a block.
        path: The blocks to go down through, then the attribute's name.
        value: The value as HCL writes it.
        creates: Whether a block that is missing may be made with this attribute alone.

    Returns:
        None where a block of the path is missing, repeated or dynamic, or where it stands on one line
        and the attribute is not in it.
    """
    for depth, name in enumerate(path[:-1]):
        found = [block for block in _items(body, "block") if _text(block.children[0]) == name]
        if any(_is_dynamic(block, name) for block in _items(body, "block")) or len(found) > 1:
            return None
        if not found:
            return _insert(code, body, path[depth:], value) if creates else None
        inner = _body(found[0])
        if inner is None:
            return None
        body = inner
    for attribute in _items(body, "attribute"):
        if _text(attribute.children[0]) == path[-1]:
            return _replace(code, attribute.children[-1], value)
    return _insert(code, body, path[-1:], value)


def attribute_value(body: Node, name: str) -> str | None:
    """The text of an attribute's value."""
    return next(
        (_text(each.children[-1]) for each in _items(body, "attribute") if _text(each.children[0]) == name),
        None,
    )


def declares(body: Node, name: str) -> bool:
    """Whether a body has an attribute or a block of the name."""
    return any(
        _text(each.children[0]) == name for kind in ("attribute", "block") for each in _items(body, kind)
    )


def _items(body: Node, kind: str) -> list[Node]:
    return [child for child in body.children if child.type == kind]


def _body(block: Node) -> Node | None:
    return next(iter(_items(block, "body")), None)


def _is_dynamic(block: Node, name: str) -> bool:
    return _text(block.children[0]) == "dynamic" and _text(block.children[1]).strip('"') == name


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "surrogatepass")


def _replace(code: str, node: Node, value: str) -> str:
    data = code.encode("utf-8", "surrogatepass")
    whole = data[: node.start_byte] + value.encode() + data[node.end_byte :]
    return whole.decode("utf-8", "surrogatepass")


def _insert(code: str, body: Node, path: Path, value: str) -> str | None:
    """A new attribute (in new blocks) on lines of its own, at the end of a body of several lines."""
    lines = code.split("\n")
    last = body.children[-1] if body.children else None
    closing = body.parent.end_point.row if body.parent else 0
    if last is None or last.end_point.row == closing or lines[closing].strip() != "}":
        return None
    indent = re.match(r"\s*", lines[body.children[0].start_point.row])[0]  # type: ignore[index]
    new = _lines(path, value, indent)
    if len(path) == 1:
        new = [_align(new[0], path[0], lines[closing - 1], indent)]
    elif lines[closing - 1].strip():
        new = ["", *new]
    return "\n".join([*lines[:closing], *new, *lines[closing:]])


def _lines(path: Path, value: str, indent: str) -> list[str]:
    if len(path) == 1:
        return [f"{indent}{path[0]} = {value}"]
    return [f"{indent}{path[0]} {{", *_lines(path[1:], value, indent + "  "), f"{indent}}}"]


def _align(line: str, name: str, above: str, indent: str) -> str:
    """`terraform fmt` puts the equals signs of neighbouring lines in one column."""
    match = re.match(rf"{indent}[\w-]+( *)= ", above)
    column = match.end() - len("= ") if match else 0
    if column <= len(indent) + len(name):
        return line
    return f"{indent}{name}".ljust(column) + line[len(indent) + len(name) + 1 :]
