"""The words of real failures, as their programs wrote them, and the causes they are taken for."""

from __future__ import annotations

import errno
import shutil
import signal
import sqlite3
from collections import namedtuple
from pathlib import Path

import pytest

from jobs import base_models, diagnosis
from jobs.errors import (
    ChildFailed,
    DeliveryRefused,
    DiskFull,
    GpuWatchdog,
    ModelMissing,
    NetworkError,
    OperatorError,
    OutOfMemory,
    PermissionMissing,
    SectuneError,
    error_class,
)

Usage = namedtuple("Usage", "total used free")
ABORT = "libc++abi: terminating due to uncaught exception of type std::runtime_error: "
METAL = ABORT + "[METAL] Command buffer execution failed: "
# What MLX, Metal, safetensors, tokenizers, Arrow, SQLite, huggingface_hub, mlx-lm and the kernel really say.
TEXTS: list[tuple[type[SectuneError], str]] = [
    (
        GpuWatchdog,
        METAL + "Impacting Interactivity (0000000e:kIOGPUCommandBufferCallbackErrorImpactingInteractivity)",
    ),
    (GpuWatchdog, METAL + "Caused GPU Timeout Error (00000002:kIOGPUCommandBufferCallbackErrorTimeout)."),
    (GpuWatchdog, METAL + "Caused GPU Hang Error (00000003:kIOGPUCommandBufferCallbackErrorHang)"),
    (
        GpuWatchdog,
        METAL + "Ignored (for causing prior/excessive GPU errors) "
        "(00000004:kIOGPUCommandBufferCallbackErrorSubmissionsIgnored)",
    ),
    (OutOfMemory, METAL + "Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)"),
    (OutOfMemory, ABORT + "[malloc_or_wait] Unable to allocate 9663676416 bytes."),
    (
        OutOfMemory,
        "RuntimeError: [metal::malloc] Attempting to allocate 48736917632 bytes which is greater than the "
        "maximum allowed buffer size of 30150672384 bytes.",
    ),
    (OutOfMemory, "RuntimeError: [metal::malloc] Resource limit (499000) exceeded."),
    (OutOfMemory, "RuntimeError: [malloc] Unable to allocate 4096 bytes."),
    (OutOfMemory, "terminate called after throwing an instance of 'std::bad_alloc'"),
    (OutOfMemory, "OSError: [Errno 12] Cannot allocate memory"),
    (OutOfMemory, 'Traceback (most recent call last):\n  File "x.py", line 1\nMemoryError'),
    (DiskFull, "OSError: [Errno 28] No space left on device: 'train.jsonl'"),
    (DiskFull, "SafetensorError: Error while serializing: I/O error: No space left on device (os error 28)"),
    (DiskFull, "Exception: No space left on device (os error 28)"),
    (DiskFull, "OSError: [Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"),
    (DiskFull, "sqlite3.OperationalError: database or disk is full"),
    (DiskFull, "OSError: [Errno 122] Disk quota exceeded"),
    (DiskFull, "OSError: Not enough disk space. Needed: 3.90 GiB (download: 1.20 GiB, generated: 2.70 GiB)"),
    (PermissionMissing, "PermissionError: [Errno 13] Permission denied: '/models/base'"),
    (PermissionMissing, "PermissionError: [Errno 1] Operation not permitted: '/Users/ann/Documents/scans'"),
    (ModelMissing, "FileNotFoundError: No safetensors found in /models/base/olmo"),
    (ModelMissing, "RepositoryNotFoundError: 404 Client Error. Repository Not Found for url: the-address."),
    (ModelMissing, "GatedRepoError: 403 Client Error. Cannot access gated repo for url the-address."),
    (ModelMissing, "OSError: olmo is not a local folder and is not a valid model identifier listed there"),
]


@pytest.mark.parametrize(("kind", "text"), TEXTS)
def test_the_last_words_of_a_dead_child_tell_what_it_died_of(kind: type[SectuneError], text: str) -> None:
    known = diagnosis.of_text(f"Loading the model\n{text}\n")
    assert type(known) is kind
    assert known.remedy
    assert text.splitlines()[-1][:60] in known.message
    assert "Loading the model" not in known.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Segmentation fault",
        "RuntimeError: [matmul] Last dimension of first input must match",
        "UserWarning: the disk cache is off",
        "KeyError: 'memory'",
    ],
)
def test_other_words_are_a_bug_of_ours_and_nothing_else(text: str) -> None:
    assert diagnosis.of_text(text) is None


def test_the_gpu_watchdog_is_tried_again_and_says_what_helps() -> None:
    known = diagnosis.of_text(TEXTS[0][1])
    assert known is not None
    assert known.retryable
    for word in ("checkpoint", "display", "batch_size", "max_seq_length"):
        assert word in known.remedy


def test_words_of_a_report_in_an_error_of_ours_are_no_cause() -> None:
    assert diagnosis.of_exception(ValueError("title: No space left on device")) is None
    assert diagnosis.of_exception(KeyError("Insufficient Memory")) is None


def test_mlx_cannot_say_why_a_write_failed_so_the_disk_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("[write] Unable to write 3145824 bytes to file.")
    for free, kind in ((1 << 20, DiskFull), (1 << 40, type(None))):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder, free=free: Usage(1 << 41, 0, free))
        assert type(diagnosis.of_exception(error, tmp_path)) is kind
    assert diagnosis.of_exception(error) is None


def test_a_full_disk_that_was_taken_for_the_network_or_a_setting_is_still_a_full_disk() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/cache")
    for outer in (NetworkError("the Hub failed"), OperatorError("reading failed"), RuntimeError("odd")):
        outer.__cause__ = full
        assert diagnosis.is_full(outer)
    assert diagnosis.of_exception(NetworkError("the Hub failed")) is not None
    assert not diagnosis.is_full(NetworkError("the Hub failed"))


def test_a_database_that_finds_no_room_for_its_readers_file_is_on_a_full_disk() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    for name, full in (("SQLITE_IOERR_SHMSIZE", True), ("SQLITE_IOERR_READ", False)):
        error.sqlite_errorname = name
        assert diagnosis.is_full(error) is full


def test_a_full_database_is_a_full_disk_and_another_trouble_of_it_is_not(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("create table a (b)")
    connection.execute("pragma max_page_count = 2")
    with pytest.raises(sqlite3.OperationalError) as full:
        connection.execute("insert into a values (zeroblob(100000))")
    with pytest.raises(sqlite3.OperationalError) as other:
        connection.execute("select * from nothing")
    connection.close()
    assert diagnosis.is_full(full.value)
    assert diagnosis.of_exception(other.value) is None


@pytest.mark.parametrize(
    ("code", "free", "kind"),
    [
        (-signal.SIGKILL, 1 << 40, OutOfMemory),
        (-signal.SIGBUS, 1 << 24, DiskFull),
        (-signal.SIGBUS, 1 << 40, type(None)),
        (1, 4096, DiskFull),
        (None, 4096, DiskFull),
        (1, 1 << 40, type(None)),
        (-signal.SIGSEGV, 1 << 40, type(None)),
    ],
)
def test_a_silent_death_is_told_by_its_signal_and_by_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None, free: int, kind: type
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(1 << 41, 0, free))
    assert type(diagnosis.of_death(code, "", tmp_path)) is kind


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/Users/ann/Documents/scans/a.json", "Documents"),
        ("/Users/ann/Downloads", "Downloads"),
        ("/Users/ann/Library/Mobile Documents/x", "Library/Mobile Documents"),
        ("/Users/ann/sectune/inbox", None),
        ("/home/ann/Documents/x", None),
    ],
)
def test_a_folder_that_macos_guards_gets_its_own_remedy(path: str, folder: str | None) -> None:
    for error in (
        diagnosis.of_exception(PermissionError(errno.EPERM, "Operation not permitted", path)),
        diagnosis.of_text(f"PermissionError: [Errno 1] Operation not permitted: '{path}'"),
    ):
        assert isinstance(error, PermissionMissing)
        assert ("macOS guards" in error.remedy) == (folder is not None)
        assert (folder or "permission") in error.remedy


def test_a_missing_model_has_a_kind_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="models pull"):
        base_models.locate(tmp_path, "olmo")


def test_every_cause_keeps_its_kind_across_the_process_boundary() -> None:
    kinds = (
        DiskFull,
        GpuWatchdog,
        ModelMissing,
        OutOfMemory,
        PermissionMissing,
        DeliveryRefused,
        NetworkError,
    )
    for kind in kinds:
        assert error_class(kind.kind) is kind
    assert error_class("bug") is error_class("a kind of a newer version") is ChildFailed
