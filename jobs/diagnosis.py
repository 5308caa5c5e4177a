"""What the words of a failure mean: the causes that are recognised, each with the thing to do about it.

The words are those of other programs (Metal, MLX, safetensors, SQLite, the kernel), which raise nothing that
could be told apart by its type, or end the process before Python can say anything.
"""

from __future__ import annotations

import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import (
    DiskFull,
    GpuWatchdog,
    JobError,
    ModelMissing,
    OutOfMemory,
    PermissionMissing,
    guarded,
    guarded_remedy,
    of_the_machine,
)

ROOM_BYTES = 1 << 30  # with more than this free, a write that failed in unclear words was not out of space
SPENT_BYTES = 1 << 20  # with less than this free, a child that died without a word had no room for one
SHOWN_CHARACTERS = 300
SQLITE_FULL = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE")  # the second: no room for the file that readers share
# Their words may be a report's own text; what the libraries say comes as none of these.
OF_OUR_DATA = (ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError)


@dataclass(frozen=True)
class Cause:
    """One recognised cause.

    Args:
        words: What is found in its text.
        raised: The error it becomes.
        says: What went wrong, in our words.
        remedy: What helps.
        if_full: The words alone do not decide: the disk must be nearly full, too.
    """

    words: re.Pattern[str]
    raised: type[JobError]
    says: str
    remedy: str
    if_full: bool = False


LESS_MEMORY = (
    "Close other programs; or set training.grad_checkpoint: true, lower the stage's batch_size or "
    "training.max_seq_length, set training.memory.memory_limit_gb, or take a smaller base model."
)
WATCHDOG = Cause(
    re.compile(
        r"CallbackErrorImpactingInteractivity|Impacting Interactivity"
        r"|CallbackErrorTimeout|Caused GPU Timeout Error|CallbackErrorHang|Caused GPU Hang Error"
        r"|CallbackErrorSubmissionsIgnored|for causing prior/excessive GPU errors"
        r"|Discarded \(victim of GPU error/recovery\)"
    ),
    GpuWatchdog,
    "The system's GPU watchdog ended the work because it held up the display",
    "It goes on from its last checkpoint. What helps: let the display sleep, close programs that draw a lot, "
    "and make each piece of work shorter: lower the stage's batch_size, training.batch_tokens or "
    "training.max_seq_length.",
)
MEMORY = Cause(
    re.compile(
        r"CallbackErrorOutOfMemory|Insufficient Memory"
        r"|malloc(_or_wait)?\] (Unable to allocate|Attempting to allocate|Resource limit)"
        r"|greater than the maximum allowed buffer size|std::bad_alloc|Cannot allocate memory"
        r"|[Oo]ut of memory|\bMemoryError\b"
    ),
    OutOfMemory,
    "There was too little memory",
    LESS_MEMORY,
)
DISK = Cause(
    re.compile(
        r"No space left on device|os error 28\b|database or disk is full|Disk quota exceeded"
        r"|[Nn]ot enough (free )?disk space"
    ),
    DiskFull,
    "The disk is full",
    "Free some space on the disk; it goes on by itself.",
)
WRITE = Cause(re.compile(r"\[write\] Unable to write"), DISK.raised, DISK.says, DISK.remedy, if_full=True)
PERMISSION = Cause(
    re.compile(r"\[Errno 1\]|\[Errno 13\]|\(os error 1\)|\(os error 13\)"),
    PermissionMissing,
    "The system refused access",
    "Give sectune the permission (on macOS: Full Disk Access), then retry.",
)
MODEL = Cause(
    re.compile(
        r"No safetensors found in|Repository Not Found for url|Cannot access gated repo"
        r"|is not a local folder and is not a valid model identifier|Access to model \S+ is restricted"
    ),
    ModelMissing,
    "The base model cannot be had",
    "Check base_model.name and base_model.source, then fetch it with: sectune models pull; a gated model "
    "needs `hf auth login`.",
)
CAUSES = (WATCHDOG, MEMORY, DISK, WRITE, PERMISSION, MODEL)


def of_text(text: str, near: Path | None = None) -> JobError | None:
    """The cause that a program's last words name; None if they name none that is known.

    Args:
        text: What it printed or raised.
        near: A folder on the disk it wrote to, for words that a full disk and other troubles share.
    """
    for cause in CAUSES:
        if (found := cause.words.search(text)) and (not cause.if_full or _nearly_full(near)):
            line = _line_around(text, found.start())
            remedy = cause.remedy
            if cause is PERMISSION and (folder := guarded(line)):
                remedy = guarded_remedy(folder)
            return cause.raised(f"{cause.says}: {line}", remedy)
    return None


def of_exception(error: BaseException, near: Path | None = None) -> JobError | None:
    """What an exception is, if it is one of ours or has a cause that is known; None for a bug.

    A full disk that somebody on the way took for something else (a network that failed) is still one.
    """
    chain = list(_chain(error))
    if full := next((known for each in chain if isinstance(known := _known(each), DiskFull)), None):
        return full
    if known := _known(error):
        return known
    if isinstance(error, OF_OUR_DATA):
        return None
    return of_text(f"{type(error).__name__}: {error}", near)


def is_full(error: BaseException) -> bool:
    """Whether a disk without space is behind an error."""
    return isinstance(of_exception(error), DiskFull)


def of_death(code: int | None, words: str, near: Path) -> JobError | None:
    """Why a child died that left no receipt; None if nothing tells.

    Args:
        code: Its exit code as `subprocess` has it; None where another process started it.
        words: What it printed last.
        near: Its work folder.
    """
    if known := of_text(words, near):
        return known
    if code == -signal.SIGKILL:
        return OutOfMemory(
            "The child was killed by SIGKILL. That is mostly the system, short of memory; "
            "if a person did it, all is well.",
            LESS_MEMORY,
        )
    # SIGBUS: a page of a mapped file could not be had.
    if _free(near) < (ROOM_BYTES if code == -signal.SIGBUS else SPENT_BYTES):
        return DiskFull("The child died without a word on a full disk.", DISK.remedy)
    return None


def _known(error: BaseException) -> JobError | None:
    if isinstance(error, JobError):
        return error
    if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorname", "") in SQLITE_FULL:
        return DiskFull(f"{DISK.says}: {error}.", DISK.remedy)
    return of_the_machine(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _nearly_full(near: Path | None) -> bool:
    return near is not None and _free(near) < ROOM_BYTES


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _line_around(text: str, at: int) -> str:
    begin = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[begin : end if end >= 0 else len(text)].strip()
    return line[:SHOWN_CHARACTERS]
