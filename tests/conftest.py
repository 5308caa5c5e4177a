"""No test touches the real home, the real settings or a running daemon."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import hypothesis
import pytest

from config.load import load
from config.settings import Settings
from jobs.pipeline.context import Host
from jobs.pipeline.step_table import STEP_NAMES
from jobs.runs.delivery import Delivery
from jobs.runs.folder import RunFolder
from jobs.runs.store import Run, RunStore

# A shared machine makes any single example slow now and then; in CI the examples are always the same.
# Thoroughly with: pytest -m property --hypothesis-profile=thorough
for name, examples in (("quick", 20), ("thorough", 200)):
    hypothesis.settings.register_profile(
        name, max_examples=examples, deadline=None, derandomize="CI" in os.environ
    )
hypothesis.settings.load_profile("quick")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what draws its examples, so that it can be asked for alone."""
    if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
        item.add_marker("property")


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


@pytest.fixture
def settings_with(isolated_home: Path) -> Callable[[Mapping[str, str]], Settings]:
    """The settings with some values changed, by their dotted names."""
    return lambda changes: with_settings(isolated_home, **dict(changes))


@pytest.fixture
def store(settings: Settings) -> RunStore:
    return RunStore(settings.paths.models_dir)


@pytest.fixture
def host(settings: Settings) -> Host:
    assert settings.paths.state_dir is not None
    settings.paths.state_dir.mkdir(parents=True)
    return Host(settings.paths.models_dir, settings.paths.state_dir)


@pytest.fixture
def make_run(store: RunStore, settings: Settings) -> Callable[..., Run]:
    """Creates runs with the chain's own steps."""

    def make(changed: Settings | None = None, delivery: str = "d1") -> Run:
        def fill(folder: RunFolder) -> None:
            (folder.reports / "report.json").write_text("{}")

        return store.create(changed or settings, Delivery(delivery, ()), STEP_NAMES, fill)

    return make


@pytest.fixture
def write_safetensors() -> Callable[..., Path]:
    """Writes a well-formed safetensors file with 4-byte tensors of the given names."""

    def write(path: Path, *names: str) -> Path:
        header = json.dumps(
            {
                name: {"dtype": "F32", "shape": [1], "data_offsets": [4 * at, 4 * at + 4]}
                for at, name in enumerate(names)
            }
        ).encode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4 * len(names)))
        return path

    return write


@pytest.fixture
def base_model(settings: Settings, write_safetensors: Callable[..., Path]) -> Path:
    """A folder that has all a complete model has, where the settings look for it."""
    return _full_model(settings.paths.models_dir / "base" / settings.base_model.name, write_safetensors)


def _full_model(folder: Path, write_safetensors: Callable[..., Path]) -> Path:
    write_safetensors(folder / "model.safetensors", "model.embed_tokens.weight")
    for name in ("config.json", "tokenizer_config.json", "tokenizer.json"):
        (folder / name).write_text('{"a": 1}')
    return folder


@pytest.fixture
def full_model(write_safetensors: Callable[..., Path]) -> Callable[[Path], Path]:
    """Fills a folder with what a complete model has."""
    return lambda folder: _full_model(folder, write_safetensors)


@pytest.fixture
def adapter_folder(write_safetensors: Callable[..., Path]) -> Callable[..., Path]:
    """Fills a folder with what a trained adapter has."""

    def fill(folder: Path, **config: object) -> Path:
        write_safetensors(folder / "adapters.safetensors", "l.q_proj.lora_a", "l.q_proj.lora_b")
        (folder / "adapter_config.json").write_text(json.dumps({"fine_tune_type": "lora", **config}))
        (folder / "training_metadata.json").write_text('{"stage": 1}')
        return folder

    return fill
