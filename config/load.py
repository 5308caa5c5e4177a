"""Load the settings: defaults.yaml, then the user's file, then SECTUNE__ variables; later wins.

All mistakes are found first and raised together, each with its origin and, for an unknown key, the
key that was probably meant.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from platformdirs import user_config_path, user_state_path
from pydantic import ValidationError

from config.errors import SettingsError
from config.section import Section
from config.settings import Settings

PREFIX = "SECTUNE__"
FILE_VARIABLE = "SECTUNE_CONFIG"


@dataclass(frozen=True)
class Loaded:
    """The settings and where each value came from: `default`, a file's path or a variable's name."""

    settings: Settings
    origins: Mapping[str, str]
    user_file: Path


def user_file(environ: Mapping[str, str] | None = None) -> Path:
    """The user's settings file: $SECTUNE_CONFIG, or config.yaml in the platform's own folder."""
    named = (os.environ if environ is None else environ).get(FILE_VARIABLE)
    return Path(named).expanduser() if named else user_config_path("sectune") / "config.yaml"


def state_dir(settings: Settings) -> Path:
    """The folder of queue, ledger, locks and logs."""
    return settings.paths.state_dir or user_state_path("sectune")


def load(path: Path | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Load and check every setting.

    Args:
        path: The user's file; by default `user_file()`. It need not exist unless it was named.
        environ: The environment; by default the process's own.

    Raises:
        SettingsError: With every problem of every layer.
    """
    environ = os.environ if environ is None else environ
    chosen = path or user_file(environ)
    problems: list[str] = []
    merged = default_values()
    origins = dict.fromkeys(_leaves(merged), "default")
    named = path is not None or bool(environ.get(FILE_VARIABLE))
    given = (*_from_file(chosen, named, problems), *_from_environ(environ, problems))
    _overlay(merged, origins, given, problems)
    settings = _validate(merged, origins, problems)
    if settings is None or problems:
        raise SettingsError(problems)
    return Loaded(settings, origins, chosen)


def complete(values: Mapping[str, Any]) -> Settings:
    """Settings that were stored earlier, with the defaults for those that did not exist then.

    Raises:
        SettingsError: A stored setting is not known any more, or is wrong.
    """
    problems: list[str] = []
    merged = default_values()
    origins = dict.fromkeys(_leaves(merged), "default")
    _overlay(merged, origins, _assignments("stored", values, Settings, ""), problems)
    settings = _validate(merged, origins, problems)
    if settings is None or problems:
        raise SettingsError(problems)
    return settings


def default_values() -> dict[str, Any]:
    """The content of defaults.yaml; the caller's own, to change."""
    return deepcopy(_read_defaults())


@cache
def _read_defaults() -> dict[str, Any]:
    # Read for each step of each run, and twenty times as long with the reader that is written in Python.
    text = resources.files("config").joinpath("defaults.yaml").read_text(encoding="utf-8")
    values: dict[str, Any] = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return values


def leaf_names() -> list[str]:
    """Every setting's dotted name, in the order of defaults.yaml."""
    return list(_leaves(default_values()))


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _from_file(path: Path, named: bool, problems: list[str]) -> list[tuple[str, str, Any]]:
    if not path.exists():
        if named:
            problems.append(f"{path}: there is no such settings file")
        return []
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        problems.append(f"{path}: cannot be read: {' '.join(str(error).split())}")
        return []
    if values is None:
        return []
    if not isinstance(values, dict):
        problems.append(f"{path}: must hold sections and keys, not a {type(values).__name__}")
        return []
    return list(_assignments(str(path), values, Settings, ""))


def _assignments(
    origin: str, values: Mapping[Any, Any], section: type[Section], prefix: str
) -> Iterator[tuple[str, str, Any]]:
    for key, value in values.items():
        field = section.model_fields.get(str(key))
        inner = field.annotation if field else None
        named = _held_by_name(inner)
        if isinstance(value, Mapping) and isinstance(inner, type) and issubclass(inner, Section):
            yield from _assignments(origin, value, inner, f"{prefix}{key}.")
        elif isinstance(value, Mapping) and named is not None:
            for name, one in value.items():
                if isinstance(one, Mapping):
                    yield from _assignments(origin, one, named, f"{prefix}{key}.{name}.")
                else:
                    yield origin, f"{prefix}{key}.{name}", one
        else:
            yield origin, f"{prefix}{key}", value


def _held_by_name(annotation: Any) -> type[Section] | None:
    """The section that each name of an open section holds; None for any other setting."""
    if get_origin(annotation) is not dict:
        return None
    held: type[Section] = get_args(annotation)[1]
    return held


def _open_sections(
    section: type[Section] = Settings, prefix: str = ""
) -> Iterator[tuple[str, type[Section]]]:
    """The sections to which names can be added, with what each name holds."""
    for key, field in section.model_fields.items():
        inner = field.annotation
        if (held := _held_by_name(inner)) is not None:
            yield f"{prefix}{key}", held
        elif isinstance(inner, type) and issubclass(inner, Section):
            yield from _open_sections(inner, f"{prefix}{key}.")


def _from_environ(environ: Mapping[str, str], problems: list[str]) -> list[tuple[str, str, Any]]:
    found = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        try:
            value = yaml.safe_load(environ[name])
        except yaml.YAMLError as error:
            problems.append(f"{name}: cannot be read: {' '.join(str(error).split())}")
            continue
        found.append((name, name.removeprefix(PREFIX).lower().replace("__", "."), value))
    return found


def _overlay(
    merged: dict[str, Any],
    origins: dict[str, str],
    given: Iterable[tuple[str, str, Any]],
    problems: list[str],
) -> None:
    for origin, key, value in given:
        _make_room(merged, origins, key)
        if unknown := _unknown(key, frozenset(origins)):
            problems.append(f"{origin}: {unknown}")
            continue
        _put(merged, key, value)
        origins[key] = origin


def _make_room(values: dict[str, Any], origins: dict[str, str], key: str) -> None:
    """Let a new name into an open section, with null for what is not said of it."""
    for section, held in _open_sections():
        name, _, field = key.removeprefix(f"{section}.").partition(".")
        if not key.startswith(f"{section}.") or field not in held.model_fields:
            continue
        if f"{section}.{name}.{field}" not in origins:
            _put(values, f"{section}.{name}", dict.fromkeys(held.model_fields))
            origins.update(
                dict.fromkeys((f"{section}.{name}.{each}" for each in held.model_fields), "default")
            )


def _unknown(key: str, known: frozenset[str]) -> str | None:
    if key in known:
        return None
    if any(name.startswith(f"{key}.") for name in known):
        return f"'{key}' is a section, not a single value"
    sections = {name.rpartition(".")[0] for name in known} - {""}
    close = difflib.get_close_matches(key, known | sections, n=1, cutoff=0.6)
    if not close:  # the right key under a wrong or missing section
        tail = key.rsplit(".", 1)[-1]
        close = [name for name in sorted(known) if name.rsplit(".", 1)[-1] == tail][:1]
    return f"there is no setting '{key}'" + (f"; did you mean '{close[0]}'?" if close else "")


def _put(values: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        values = values[section]
    values[last] = value


def _validate(values: dict[str, Any], origins: Mapping[str, str], problems: list[str]) -> Settings | None:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        for item in error.errors():
            key = _setting_name(item["loc"], origins)
            origin = origins.get(key, "settings")
            given = "" if isinstance(item.get("input"), dict) else f" (given: {item.get('input')!r})"
            text = item["msg"].removeprefix("Value error, ")
            problems.append(f"{origin}: {key + ': ' if key else ''}{text}{given}")
        return None


def _setting_name(location: tuple[int | str, ...], origins: Mapping[str, str]) -> str:
    # pydantic appends union branches and list positions; the setting is the longest known prefix.
    parts = [str(part) for part in location]
    for length in range(len(parts), 0, -1):
        if (name := ".".join(parts[:length])) in origins:
            return name
    return ".".join(parts)
