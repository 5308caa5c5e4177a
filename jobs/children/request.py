"""What a child is asked for: a frozen struct, made into JSON in one place and checked by both sides."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from jobs.errors import ChildFailed

Asked = TypeVar("Asked")


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A request, or a part of one. A wrong, missing or unknown key in its JSON is an error that names it."""


def to_json(request: msgspec.Struct) -> dict[str, Any]:
    """A request's JSON, with values as the child will read them.

    Raises:
        ChildFailed: A value is not of its field's type, or outside of its range.
    """
    checked = from_json(type(request), _plain(request))
    return dict(_plain(checked))  # an int where a float belongs has become one


def from_json(kind: type[Asked], value: Any) -> Asked:
    """Read a request, strictly: nothing is left out, made up or converted.

    Raises:
        ChildFailed: A key is missing or unknown, or a value is wrong; the message names it.
    """
    try:
        return msgspec.convert(value, kind, dec_hook=_text_to_path)
    except msgspec.ValidationError as error:
        raise ChildFailed(f"This is no {kind.__name__}: {error}.") from error


def _plain(request: msgspec.Struct) -> Any:
    return msgspec.json.decode(msgspec.json.encode(request, enc_hook=_path_to_text))


def _path_to_text(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no JSON")


def _text_to_path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"Expected `{kind.__name__}`, got {value!r}")
