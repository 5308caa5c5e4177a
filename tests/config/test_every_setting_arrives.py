"""Every setting is read by something: changing it changes what the far edge gets.

The far edge is what leaves our code; who looks at it, by the names in this table, is in conftest.py. A
setting without a row here fails the first test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from config.load import leaf_names
from config.settings import Settings
from jobs.pipeline.steps import evaluate

SettingsWith = Callable[[Mapping[str, str]], Settings]
# A setting's name: another value for it, and who sees the difference.
ROWS: dict[str, tuple[str, str]] = {
    "seed": ("7", "translated_1"),
    "paths.inbox": ("/elsewhere/inbox", "watcher"),
    "paths.models_dir": ("/elsewhere", "registry"),
    "paths.state_dir": ("/elsewhere", "device_lock"),
    "inbox.stable_seconds": ("9", "watcher"),
    "inbox.quiet_seconds": ("9", "watcher"),
    "inbox.gather_while_training": ("false", "gathering"),
    "inbox.scan_seconds": ("9", "watcher"),
    "inbox.max_file_bytes": ("9", "limits"),
    "inbox.max_archive_members": ("9", "limits"),
    "inbox.max_archive_bytes": ("9", "limits"),
    "inbox.max_archive_ratio": ("9", "limits"),
    "findings.source": ("/checkout", "parsing"),
    "queue.workers": ("5", "supervised"),
    "queue.reconcile_seconds": ("7", "supervised"),
    "queue.max_attempts": ("5", "attempts"),
    "queue.storage": ("redis", "shared_queue"),
    "queue.url": ("redis://other/1", "shared_queue"),
    "disk.reserve_mb": ("9", "reserved"),
    "power.on_battery": ("train", "power"),
    "power.in_low_power_mode": ("train", "power"),
    "power.quiet_hours": ('"11:00-13:00"', "power"),
    "power.keep_awake": ("false", "awake"),
    "notify.desktop": ("false", "told"),
    "notify.command": ('["true"]', "told"),
    "notify.timeout_seconds": ("3", "told"),
    "base_model.name": ("other", "dataset_1"),
    "base_model.source": ("owner/other", "pulled"),
    "base_model.revision": ("abc", "pulled"),
    "base_model.bits": ("8", "pulled"),
    "base_model.group_size": ("32", "pulled"),
    "datasets.sources.crossvul.source": ("/data", "dataset_1"),
    "datasets.sources.crossvul.revision": ("abc", "dataset_1"),
    "datasets.sources.crossvul.max_rows": ("3", "dataset_1"),
    "datasets.sources.cvefixes.source": ("/data", "dataset_1"),
    "datasets.sources.cvefixes.revision": ("abc", "dataset_1"),
    "datasets.sources.cvefixes.max_rows": ("3", "dataset_1"),
    "datasets.domain": ("payments", "dataset_2"),
    "datasets.include_advice": ("true", "dataset_2"),
    "datasets.valid_fraction": ("0.2", "dataset_1"),
    "datasets.test_fraction": ("0.2", "dataset_1"),
    "datasets.quality_weight_multiplier": ("1.5", "dataset_2"),
    "datasets.augmentation": ("2", "dataset_1"),
    "datasets.context_lines": ("3", "dataset_1"),
    "datasets.replay_ratio": ("0.5", "dataset_2"),
    "training.provider": ("other", "trainer"),
    "training.method": ("dora", "translated_1"),
    "training.max_seq_length": ("512", "dataset_2"),
    "training.mask_prompt": ("false", "translated_1"),
    "training.num_layers": ("4", "translated_1"),
    "training.grad_accumulation_steps": ("2", "translated_2"),
    "training.grad_checkpoint": ("true", "translated_1"),
    "training.weight_decay": ("0.1", "translated_2"),
    "training.report_every": ("3", "translated_1"),
    "training.evaluate_every": ("3", "translated_1"),
    "training.valid_batches": ("3", "translated_1"),
    "training.checkpoint_every": ("3", "translated_1"),
    "training.preload_library": ("/bin/sh", "preloaded"),
    "training.reuse_stage1": ("false", "reused"),
    "training.batch_tokens": ("4096", "translated_1"),
    "training.max_gradient_norm": ("1.0", "translated_1"),
    "training.keep_best": ("false", "translated_1"),
    "training.early_stopping_patience": ("3", "translated_1"),
    "training.hosts": ("[127.0.0.1, 127.0.0.1]", "translated_1"),
    "training.launch_backend": ("mpi", "translated_1"),
    "training.launch_port": ("40000", "translated_1"),
    "training.schedule.type": ("cosine", "translated_1"),
    "training.schedule.warmup_ratio": ("0.1", "translated_1"),
    "training.schedule.min_lr_ratio": ("0.1", "translated_1"),
    "training.schedule.cycles": ("2", "translated_1"),
    "training.memory.memory_limit_gb": ("8", "translated_1"),
    "training.memory.cache_limit_gb": ("1", "translated_1"),
    "training.memory.wired_limit_gb": ("8", "translated_1"),
    "training.lora.rank": ("4", "translated_1"),
    "training.lora.alpha": ("32", "translated_2"),
    "training.lora.dropout": ("0.2", "translated_1"),
    "training.lora.trainable_modules": ("[self_attn.k_proj]", "translated_1"),
    "stage1.iters": ("3", "translated_1"),
    "stage1.learning_rate": ("1e-3", "translated_1"),
    "stage1.batch_size": ("3", "translated_1"),
    "stage2.iters": ("3", "translated_2"),
    "stage2.learning_rate": ("1e-3", "translated_2"),
    "stage2.batch_size": ("3", "translated_2"),
    "evaluation.max_cases": ("3", "exam"),
    "evaluation.extra_tokens": ("3", "exam"),
    "evaluation.batch_size": ("3", "exam"),
    "fuse.dequantize": ("true", "fuse"),
    "gates.stage1_exact_match": ("1", "held"),
    "gates.stage2_exact_match": ("1", "held"),
    "gates.retention": ("1", "held"),
    "gates.better_than_current": ("false", "held"),
    "certify.family": ("Other", "certified"),
    "certify.version": ('"2.0"', "certified"),
    "certify.language": ("de", "certified"),
    "certify.activate": ("false", "certified"),
    "upload.enabled": ("true", "uploaded"),
    "upload.repository": ("me/other", "uploaded"),
    "upload.private": ("false", "uploaded"),
    "log.level": ("warning", "logged"),
    "log.max_bytes": ("2048", "logged"),
    "log.backups": ("2", "logged"),
}
# What must be set beside a setting for it to matter at all.
BESIDE: dict[str, dict[str, str]] = {
    "upload.enabled": {"upload.repository": "me/model"},
    "upload.repository": {"upload.enabled": "true", "upload.repository": "me/model"},
    "upload.private": {"upload.enabled": "true", "upload.repository": "me/model"},
    "queue.url": {"queue.storage": "redis"},
    "notify.timeout_seconds": {"notify.command": '["true"]'},
    "certify.activate": dict.fromkeys(
        ("gates.stage1_exact_match", "gates.stage2_exact_match", "gates.retention"), "null"
    ),
}


def test_every_setting_has_a_row_and_every_row_a_setting() -> None:
    assert set(ROWS) == set(leaf_names())


@pytest.mark.slow
@pytest.mark.parametrize("name", list(ROWS))
def test_changing_a_setting_changes_what_the_far_edge_gets(
    name: str,
    settings_with: SettingsWith,
    observe_edge: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    value, observer = ROWS[name]
    beside = BESIDE.get(name, {})
    seen = []
    for number, changes in enumerate((beside, {**beside, name: value})):
        with monkeypatch.context() as patch:
            seen.append(observe_edge(observer, settings_with(changes), patch, tmp_path / str(number)))
    before, after = (repr(each).replace(str(tmp_path / str(n)), "") for n, each in enumerate(seen))
    assert before != after


@pytest.mark.parametrize("name", list(ROWS))
def test_an_unchanged_setting_changes_nothing_so_the_comparison_means_something(
    name: str,
    settings_with: SettingsWith,
    observe_edge: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    seen = []
    for number in range(2):
        folder = tmp_path / str(number)
        with monkeypatch.context() as patch:
            observed = observe_edge(ROWS[name][1], settings_with(BESIDE.get(name, {})), patch, folder)
        seen.append(repr(observed).replace(str(folder), ""))
    assert seen[0] == seen[1]


def test_evaluate_sends_the_same_exam_request(
    settings: Settings, make_edge: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    edge = make_edge(monkeypatch, tmp_path)
    sent = edge.request(lambda job: evaluate.run(job, stage=1), "evaluate_1", settings)["request"]
    assert "'extra_tokens': 64" in sent
    assert "jobs.mlx.evaluate" in sent
