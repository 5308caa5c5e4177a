"""Frozen dataclasses that msgspec builds in C: what is made for every finding, several times over.

A frozen dataclass of 18 fields takes 4 µs to make and 8 µs to replace; this takes 0.15 µs for either. To
the type checker, and to `dataclasses.replace`, `fields` and `asdict`, it is the frozen dataclass it reads as.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import force_setattr

__all__ = ["complete", "plain", "record", "replace"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
    from dataclasses import replace
else:
    from msgspec.structs import replace

    def record(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """As `dataclasses.dataclass(frozen=True, slots=True)`, the only kind there is."""
        if not (frozen and slots):
            raise TypeError("a record is always frozen and has slots")
        return _record


_OWN = {"__dict__", "__weakref__", "__annotations__", "__match_args__", "__dataclass_params__"}


def _record(cls: type) -> type:
    fields = dataclasses.fields(dataclasses.dataclass(init=False, repr=False, eq=False)(cls))
    taken = _OWN | {entry.name for entry in fields}
    return msgspec.defstruct(
        cls.__name__,
        [_describe_field(entry) for entry in fields],
        namespace={name: value for name, value in vars(cls).items() if name not in taken},
        module=cls.__module__,
        frozen=True,
        gc=False,  # a record never holds what holds it
    )


def _describe_field(entry: dataclasses.Field[Any]) -> tuple[Any, ...]:
    if entry.default is not dataclasses.MISSING:
        return entry.name, Any, entry.default
    if entry.default_factory is not dataclasses.MISSING:
        return entry.name, Any, msgspec.field(default_factory=entry.default_factory)
    return entry.name, Any


def plain(value: Any) -> Any:
    """A record as a dict, the records in it too; `dataclasses.asdict` in a fifteenth of its time."""
    return msgspec.to_builtins(value)


# Sets a field (record, name, value) of a record that was just built and that nobody else holds yet.
complete: Callable[[Any, str, object], None] = force_setattr
