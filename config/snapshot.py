"""The checked settings as they were last loaded, for whoever cannot wait for them to be loaded again.

Loading takes pydantic and YAML, some 100 ms and 14 MB. A snapshot holds all that the settings depend on
besides the user's file (the environment, this package's own files); it names that file and what it looked
like. Anything that differs makes it worthless, and nothing is lost with it. Only the
standard library's lightest modules are imported here.
"""

# As in cache.py, no pathlib.
# ruff: noqa: PTH100, PTH108, PTH120
from __future__ import annotations

import os

from config.cache import Look, cache_folder, look_of, number_of, read_cache, settled, write_cache

TYPE_CHECKING = False  # typing itself takes 3 ms to import; a type checker reads this as true
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from config.load import Loaded
    from config.settings import Settings

KEPT = 20  # snapshots: one for each environment and state of this package
PREFIXES = ("SECTUNE", "XDG_")
SECRET = "SECTUNE__QUEUE__URL"  # may hold a password


def key() -> str | None:
    """What the settings depend on besides the user's file; None if that is a secret."""
    if SECRET in os.environ:
        return None
    here = os.path.dirname(os.path.abspath(__file__))
    with os.scandir(here) as entries:
        code = sorted(
            (entry.name, look_of(entry.path)) for entry in entries if entry.name.endswith((".py", ".yaml"))
        )
    variables = sorted(
        (name, value) for name, value in os.environ.items() if name.startswith(PREFIXES) or name == "HOME"
    )
    return repr((code, variables, os.getuid()))


def remember(loaded: Loaded, before: Look | None) -> None:
    """Keep settings that were just loaded.

    The queue's address stays out, it may hold a password: a daemon with a shared queue loads all of them.

    Args:
        loaded: The settings.
        before: What the user's file looked like before they were loaded.
    """
    file = str(loaded.user_file)
    if look_of(file) != before or not settled(before):
        return
    whole_key = key()
    if whole_key is None:
        return
    from config.load import state_dir

    values = loaded.settings.model_dump(mode="json")
    values["queue"]["url"] = None
    values["paths"]["state_dir"] = str(state_dir(loaded.settings))
    snapshot = {
        "key": whole_key,
        "version": version(loaded.settings),
        "user_file": file,
        "look": before,
        "settings": values,
    }
    name = f"settings-{number_of(whole_key)}.json"
    if read_cache(name) != snapshot:
        write_cache(name, snapshot)
        _prune()


def recall() -> dict[str, Any] | None:
    """The snapshot that is still true: `user_file` and `settings`; None if there is none."""
    whole_key = key()
    snapshot = read_cache(f"settings-{number_of(whole_key)}.json") if whole_key else None
    if not isinstance(snapshot, dict) or snapshot.get("key") != whole_key:
        return None
    return snapshot if look_of(snapshot["user_file"]) == snapshot["look"] else None


def _prune() -> None:
    folder = cache_folder() or ""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if entry.name.startswith("settings-")]
    for entry in sorted(found, key=lambda entry: entry.stat().st_mtime_ns)[:-KEPT]:
        os.unlink(entry.path)


class _Section:
    """A group of settings whose values were checked when the snapshot was made."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            setattr(self, name, _Section(value) if isinstance(value, dict) else value)


class Light(_Section):
    """The settings of a snapshot: read like `Settings`, without what checks them."""

    def __init__(self, values: Mapping[str, Any], version: str) -> None:
        from pathlib import Path

        super().__init__(values)
        self.version = version
        self.values = values
        self.paths = _Section({name: value and Path(value) for name, value in values["paths"].items()})

    @property
    def as_settings(self) -> Settings:
        """The same, as the type whose shape it has."""
        settings: Any = self
        return settings  # type: ignore[no-any-return]


def state_of(settings: Settings) -> Path:
    """The state folder; a snapshot names it in every case."""
    if settings.paths.state_dir:
        return settings.paths.state_dir
    from config.load import state_dir

    return state_dir(settings)


def version(settings: Settings) -> str:
    """Our own version."""
    if isinstance(settings, Light):
        return settings.version
    from importlib.metadata import version as of

    return of("sectune")


def whole(settings: Settings) -> Settings:
    """The settings as the model that can write itself down, whatever they are now."""
    if not isinstance(settings, Light):
        return settings
    from config.settings import Settings as Model

    return Model.model_validate(settings.values)
