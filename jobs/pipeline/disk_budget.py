"""The disk budget: what each step will write, and where.

An estimate is made of what is known before the step: the sizes of the files it reads and of the base model,
and the settings. It is meant to be too high rather than too low. What it misses is caught by the step's own
"no space left", which ends in the same waiting.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from jobs import base_models
from jobs.datasets.public.source import sources_of
from jobs.errors import OperatorError
from jobs.fs import files, free_space
from jobs.pipeline.context import Job

LEAST = 1_000_000  # a step's manifest, figures and log lines
ARCHIVES = (".zip", ".gz", ".tgz", ".tar")
UNPACKED = 20  # reports are JSON and XML; Trivy's and ZAP's of our demo pack to a tenth
DATA_COPIES = 4  # pool, scratch, parts, cache entry
PUBLIC_BYTES = 150_000_000  # the finished data of the two true public sources, 22,300 rows
PUBLIC_ROWS = 22_300
HUB_MODEL_BYTES = 3_000_000_000  # a 1B model in 16 bits
CHECKPOINTS = 2  # the old one and the one being written
PARTS_OF_CHECKPOINT = 3  # AdamW: the adapter and two moments
REPORT_BYTES = 400  # a line of metrics.jsonl, of progress.jsonl and of the log, each
CASE_COPIES = 4  # a case as prompt, reference and answers of up to three models

Needs = dict[Path, int]
Estimate = Callable[[Job], Needs]


def shortage(job: Job, estimate: Estimate) -> free_space.Shortage | None:
    """What keeps a step from beginning, if a disk that it writes to has too little room."""
    needed, run = needs(job, estimate), job.host.models_dir
    # What an interrupted attempt left is overwritten or built upon.
    needed[run] = max(LEAST, needed[run] - bytes_below(job.folder.work(job.step)))
    return free_space.shortage(job.step, needed, job.host.reserve_bytes)


def bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder; 0 where there is none."""
    total = 0
    for below, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # a temporary one that was just renamed, a link to nowhere
                total += Path(below, name).stat().st_size
    return total


def needs(job: Job, estimate: Estimate) -> Needs:
    """Bytes that a step will write, by folder; what goes into its run counts for the models folder."""
    needed = {job.host.models_dir: LEAST, job.host.state_dir: LEAST}
    for folder, count in estimate(job).items():
        named = job.host.models_dir if folder == job.folder.root else folder
        needed[named] = needed.get(named, 0) + count
    return needed


def of_nothing(job: Job) -> Needs:
    """A step that writes nothing of its own."""
    return {}


def of_parsing(job: Job) -> Needs:
    """Findings, at most as large as the reports unpacked."""
    reports = sum(
        path.stat().st_size * (UNPACKED if path.suffix.lower() in ARCHIVES else 1)
        for path in files.files_below(job.folder.reports)
    )
    return {job.folder.root: min(reports, job.settings.inbox.max_archive_bytes)}


def of_dataset_1(job: Job) -> Needs:
    """The data set, and the base model where it has to be fetched first."""
    settings = job.settings.datasets
    data = sum(_public(source.location, source.max_rows) for source in sources_of(settings))
    needs = {job.folder.root: DATA_COPIES * data * (1 + settings.augmentation)}
    for folder, count in _base_model(job).items():
        needs[folder] = needs.get(folder, 0) + count
    return needs


def _public(location: str, max_rows: int | None) -> int:
    """Bytes of one copy of the examples that a public source gives."""
    most = PUBLIC_BYTES if max_rows is None else min(PUBLIC_BYTES, max_rows * PUBLIC_BYTES // PUBLIC_ROWS)
    path = Path(location).expanduser()
    found = [path] if path.is_file() else files.files_below(path) if path.is_dir() else []
    if not found:  # on the Hub, or nowhere: the step itself says so
        return most
    return min(
        most, sum(file.stat().st_size * (UNPACKED if file.suffix == ".parquet" else 1) for file in found)
    )


def _base_model(job: Job) -> Needs:
    choice, folder = job.settings.base_model, job.host.base_models
    if choice.source is None or base_models.is_complete(folder, choice.name):
        return {}
    local = Path(choice.source).expanduser()
    size = bytes_below(local) if local.is_dir() else HUB_MODEL_BYTES
    needs = {
        folder: size * (choice.bits or 16) // 16 + size // 10
    }  # scales and offsets, and layers kept whole
    if not local.is_dir():
        needs[_hub_cache()] = size
    return needs


def _hub_cache() -> Path:
    return Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()


def of_dataset_2(job: Job) -> Needs:
    """The delivery's own examples and the replayed ones."""
    settings = job.settings.datasets
    own = _size(job.folder.findings) * (1 + settings.augmentation)
    replayed = settings.replay_ratio * _size(job.folder.stage1.train_file)
    return {job.folder.root: int(DATA_COPIES * (own + min(replayed, own)))}


def of_training(job: Job, stage: int) -> Needs:
    """Adapters, checkpoints, tokens and reports of a stage."""
    settings, folder = job.settings.training, job.folder.stage(stage)
    iterations = job.settings.stage(stage).iters
    adapter = adapter_bytes(job)
    saved = adapter * (iterations // settings.checkpoint_every + 2)  # numbered ones, the best, the last
    checkpoints = CHECKPOINTS * PARTS_OF_CHECKPOINT * adapter
    tokens = 2 * bytes_below(
        folder.training_data
    )  # four bytes a token; a token of code has two letters or more
    told = 3 * REPORT_BYTES * (iterations // settings.report_every + 1)
    return {job.folder.root: saved + checkpoints + tokens + told}


def adapter_bytes(job: Job) -> int:
    """Bytes of an adapter in 32 bits, from the base model's shape; of all its weights for a full training."""
    if (model := _model(job)) is None:
        return 0
    if job.settings.training.method == "full":
        return _whole(model, 32)
    shape = files.read_json(model / "config.json")
    hidden, inner = int(shape.get("hidden_size", 0)), int(shape.get("intermediate_size", 0))
    lora, layers = job.settings.training.lora, int(shape.get("num_hidden_layers", 0))
    widths = (
        hidden + (hidden if name.startswith("self_attn.") else inner) for name in lora.trainable_modules
    )
    return 4 * lora.rank * layers * sum(widths)


def of_evaluation(job: Job, stage: int) -> Needs:
    """Answers and cases on a stage's test part."""
    return {job.folder.root: CASE_COPIES * _size(job.folder.stage(stage).test_file)}


def of_fusing(job: Job) -> Needs:
    """The fused model."""
    if (model := _model(job)) is None:
        return {}
    size = _whole(model, 16) if job.settings.fuse.dequantize else bytes_below(model)
    return {job.folder.root: size}


def _model(job: Job) -> Path | None:
    try:
        return base_models.locate(job.host.base_models, job.settings.base_model.name)
    except OperatorError:  # the step itself says what is wrong with it
        return None


def _whole(model: Path, bits: int) -> int:
    """Bytes of a model with all its weights in so many bits; its configuration says in how many they are."""
    shape: dict[str, Any] = files.read_json(model / "config.json")
    now = int((shape.get("quantization") or {}).get("bits", 16))
    return bytes_below(model) * bits // now


def of_certifying(job: Job) -> Needs:
    """Copies of the model and of all that it came from."""
    copied = bytes_below(job.folder.final_model)
    for stage in (job.folder.stage1, job.folder.stage2):
        copied += (
            _size(stage.adapter_file) + bytes_below(stage.training_data) + _size(stage.evaluation_results)
        )
    return {job.host.registry: copied}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
