"""The proof's home: its generated data, its base model made from scratch, its settings, its delivery."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import jobs
from benchmarks.learn.packages import advisories
from benchmarks.learn.pretraining_corpus import copying_rows, corpus_rows
from benchmarks.learn.public_rows import crossvul_rows, cvefixes_rows
from benchmarks.learn.reports import reports
from benchmarks.learn.wording import wording_rows
from daemon.demo.scene import MODULES, Scene
from jobs.children import parent
from jobs.children.task import Task
from jobs.fs import files
from jobs.mlx.toy_models.requests import CopyModelRequest, ModelShape

MODEL = "small-olmo2-learn"
MODULE = "jobs.mlx.toy_models.copy_pretrained_model"
SEED = 42
# Seeds of their own: corpus and tokenizer's texts share no file and no package with the data.
CORPUS_SEED, WORDING_SEED = 7, 8

CROSSVUL, CVEFIXES, ADVISORIES = 1400, 1000, 900
COPYING, CORPUS, WORDING = 1_500, 6_500, 3_000
SHAPE = ModelShape(vocabulary=2048, hidden=192, intermediate=384, layers=3, heads=4)
LENGTH = 512
# What else decides the base model's weights.
MLX = Path(jobs.__file__).parent / "mlx"
CODE = (
    MLX / "toy_models" / "copy_pretrained_model.py",
    MLX / "toy_models" / "induction_heads.py",
    MLX / "training" / "batches.py",
    MLX / "training" / "loss.py",
)


class Learning(Scene):
    """Everything the proof needs, below one folder.

    Args:
        home: Where to keep it. Each run has a folder of its own in it; data and base model stand beside them,
            and a base model that was made by the same code from the same data is used again.
        preload: A fast BLAS for the children.
        share: How much of the data and of the training to use, above 0 and at most 1 (tests).
    """

    def __init__(self, home: Path, preload: Path | None = None, share: float = 1.0) -> None:
        super().__init__(home / time.strftime("%Y%m%d_%H%M%S"))
        self.preload = preload
        self.share = share
        self.data = home / "data"
        self.base = home / "base"

    def _of(self, count: int) -> int:
        return max(1, round(self.share * count))

    def write_data(self) -> dict[str, int]:
        """Write the public data, the base model's corpus and its tokenizer's texts; the rows of each."""
        packages = {each.package for each in advisories(self._of(ADVISORIES), SEED)}
        rows = {
            "crossvul/train": crossvul_rows(self._of(CROSSVUL), SEED),
            "cvefixes/train": cvefixes_rows(self._of(CVEFIXES), SEED),
            "primer": chain(  # as learn.json calls the pretraining corpus
                copying_rows(self._of(COPYING), CORPUS_SEED), corpus_rows(self._of(CORPUS), CORPUS_SEED)
            ),
            "wording": wording_rows(self._of(WORDING), WORDING_SEED, packages),
        }
        return {name: self._write(name, made) for name, made in rows.items()}

    def _write(self, name: str, rows: Any) -> int:
        path = self.data / f"{name}.jsonl"
        files.private_folder(path.parent)
        return files.write_jsonl(path, rows)

    def _settings(self) -> dict[str, Any]:
        settings = super()._settings()
        settings["base_model"] = {"name": str(self.base / MODEL), "source": None}
        settings["datasets"] = {
            "sources": {
                "crossvul": {"source": str(self.data / "crossvul")},
                "cvefixes": {"source": str(self.data / "cvefixes"), "revision": None},
            },
            "context_lines": 3,
            "quality_weight_multiplier": 1.0,
        }
        settings["training"] |= {
            "max_seq_length": LENGTH,
            "preload_library": str(self.preload) if self.preload else None,
            "report_every": 20,
            "evaluate_every": 100,
            "valid_batches": 8,
            "checkpoint_every": 200,
            "lora": {"trainable_modules": MODULES, "rank": 32, "alpha": 64, "dropout": 0.0},
            "schedule": {"type": "cosine", "warmup_ratio": 0.05, "min_lr_ratio": 0.05},
            "max_gradient_norm": 1.0,
        }
        settings["stage1"] = {"iters": self._of(600), "learning_rate": 2.0e-3, "batch_size": 12}
        settings["stage2"] = {"iters": self._of(350), "learning_rate": 4.0e-4, "batch_size": 12}
        settings["evaluation"] = {"extra_tokens": 8}
        settings["gates"] = {"better_than_current": False}
        settings["certify"] = {"family": "Learning-proof"}
        return settings

    def base_model_request(self) -> CopyModelRequest:
        """What the child that makes the base model is asked for."""
        texts, corpus = (self.data / f"{name}.jsonl" for name in ("wording", "primer"))
        return CopyModelRequest(
            out=self.base / MODEL,
            texts=texts,
            corpus=corpus,
            rate=3.0e-3,
            copying_steps=400,
            tokens=1024,
            max_seq_length=LENGTH,
            shape=SHAPE,
            seed=SEED,
            data_sha256=tuple(files.sha256_file(path) for path in (texts, corpus)),
            code_sha256=tuple(files.sha256_file(path) for path in CODE),
        )

    def make_base_model(self, on_progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """The base model, from scratch, by a child of its own; made before, its receipt answers."""
        work = self.base / "work"
        if not (self.base / MODEL).exists():
            shutil.rmtree(work, ignore_errors=True)
        task = Task(
            module=MODULE,
            work=work,
            payload=self.base_model_request(),
            log=self.state / "base-model.log",
            preload=self.preload,
        )
        return parent.drive(task, on_progress, lambda: False)

    def drop_delivery(self) -> Path:
        """The reports as one folder, put into the inbox in one rename."""
        draft, target = self.home / "delivery", self.inbox / "delivery"
        shutil.rmtree(draft, ignore_errors=True)
        files.private_folder(draft)
        for name, report in reports(self._of(ADVISORIES), SEED).items():
            files.write_json(draft / name, report)
        draft.rename(target)
        return target
