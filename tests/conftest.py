"""No test touches the real home, the real settings or a running daemon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.load import load
from config.settings import Settings


@pytest.fixture(autouse=True)
def isolated_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith("SECTUNE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    return home


@pytest.fixture
def settings(isolated_home: Path) -> Settings:
    """All defaults, with every path below the throw-away home."""
    return with_settings(isolated_home)


def with_settings(home: Path, **changes: str) -> Settings:
    environ = {
        "SECTUNE__PATHS__INBOX": str(home / "inbox"),
        "SECTUNE__PATHS__MODELS_DIR": str(home / "models"),
        "SECTUNE__PATHS__STATE_DIR": str(home / "state"),
        **{f"SECTUNE__{key.upper().replace('.', '__')}": value for key, value in changes.items()},
    }
    return load(environ=environ).settings
