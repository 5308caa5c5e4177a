"""The demo's throw-away home: its settings, its tiny base model, its delivery."""

from __future__ import annotations

import sysconfig
import zipfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from daemon.presentation.home import ThrowAwayHome
from jobs.children import parent
from jobs.children.task import Task
from jobs.fs import files
from jobs.mlx.toy_models.requests import ModelShape, TinyModelRequest

DATA = Path(str(resources.files("daemon.demo").joinpath("data")))
MODEL = "tiny-olmo2-demo"
MODULE = "jobs.mlx.toy_models.tiny_model"
SHAPE = ModelShape(vocabulary=2048, hidden=64, intermediate=256, layers=2, heads=4)
# Code that is on every machine with Python; the tiny model learns from it what code looks like.
STEPS = 200
CORPUS = ("secrets.py", "hashlib.py", "shutil.py", "http/cookies.py", "urllib/parse.py", "json/decoder.py")


class Scene(ThrowAwayHome):
    """Everything the demo needs, below one folder.

    Args:
        home: The throw-away home.
    """

    def write_settings(self, changes: dict[str, Any] | None = None) -> None:
        """The demo's settings file: small numbers, local data, quick inbox."""
        for folder in (self.inbox, self.state, self.models_dir):
            files.private_folder(folder)
        settings = self._settings()
        for section, values in (changes or {}).items():
            settings.setdefault(section, {}).update(values)
        files.write_text(self.config, yaml.safe_dump(settings, sort_keys=False))

    def _settings(self) -> dict[str, Any]:
        library = find_openblas()
        return {
            "paths": {
                "inbox": str(self.inbox),
                "models_dir": str(self.models_dir),
                "state_dir": str(self.state),
            },
            "inbox": {"stable_seconds": 1, "quiet_seconds": 2, "scan_seconds": 2},
            "queue": {"reconcile_seconds": 5},
            # a show of minutes may run on a battery
            "power": {"on_battery": "train", "in_low_power_mode": "train"},
            "base_model": {"name": MODEL, "source": None},
            "datasets": {
                "sources": {
                    "crossvul": {"source": str(DATA / "public" / "crossvul")},
                    "cvefixes": {"source": str(DATA / "public" / "cvefixes"), "revision": None},
                },
                "context_lines": 3,
            },
            "training": {
                "max_seq_length": 512,
                "report_every": 10,
                "evaluate_every": 50,
                "valid_batches": 8,
                "checkpoint_every": 50,
                "preload_library": str(library) if library else None,
                "lora": {"trainable_modules": MODULES, "dropout": 0.0},
            },
            "stage1": {"iters": 150, "learning_rate": 5.0e-3},
            "stage2": {"iters": 150, "learning_rate": 3.0e-3},
            "evaluation": {"max_cases": 8, "extra_tokens": 8},
            "gates": {
                "stage1_exact_match": None,
                "stage2_exact_match": None,
                "retention": None,
                "better_than_current": False,
            },
            "certify": {"family": "WebAuthn-Security-demo"},
        }

    def build_base_model(
        self, on_progress: Callable[[dict[str, Any]], None], steps: int = STEPS
    ) -> dict[str, Any]:
        """The tiny base model, by a child of its own."""
        library = Path(sysconfig.get_path("stdlib"))
        public = sorted((DATA / "public").glob("*/train.jsonl"))
        reports = [
            path for path in sorted((DATA / "reports").iterdir()) if path.name in ("semgrep.json", "osv.json")
        ]
        task = Task(
            module=MODULE,
            work=self.home / "base-model-work",
            payload=TinyModelRequest(
                out=self.models_dir / "base" / MODEL,
                texts=(*public, *reports),
                corpus=tuple(library / name for name in CORPUS),
                steps=steps,
                rate=5.0e-3,
                shape=SHAPE,
                seed=42,
            ),
            log=self.state / "base-model.log",
            preload=find_openblas(),
        )
        return parent.drive(task, on_progress, lambda: False)

    def drop_delivery(self) -> Path:
        """A zip of all shipped reports, put into the inbox in one rename."""
        target = self.inbox / "webauthn-app-scan.zip"
        draft = self.home / "webauthn-app-scan.zip"
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((DATA / "reports").iterdir()):
                archive.write(path, path.name)
        draft.replace(target)
        return target


MODULES = [
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
    "mlp.down_proj",
]


def find_openblas() -> Path | None:
    """An OpenBLAS of the system: preloaded, it makes MLX's fp32 on a Linux CPU about 30 times faster."""
    for pattern in ("*/openblas-pthread/libopenblas.so.0", "*/libopenblas.so.0"):
        for path in sorted(Path("/usr/lib").glob(pattern)):
            return path
    return None
