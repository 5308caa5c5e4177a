"""The errors that runs, models and their commands raise on purpose, split by who can act on them.

Anything else that escapes a step is a bug of ours and is recorded with its traceback.
"""

from __future__ import annotations

import errno
import re
import sys

from config.errors import SectuneError


class JobError(SectuneError):
    """An error that a step, or a command about runs and models, can end with.

    Attributes:
        kind: Its name in a manifest and in a child's receipt.
        retryable: Whether the same step may go better the next time without anybody's help.
    """

    kind = "error"
    retryable = False


class DeliveryRefused(JobError):
    """What was delivered cannot be used; only the one who delivered it can change that."""

    kind = "delivery"


class OperatorError(JobError):
    """A setting, a missing file, a full disk or a permission: the operator can mend it."""

    kind = "operator"


class DiskFull(OperatorError):
    """No space is left; the run waits for some and goes on by itself, and no failure is counted."""

    kind = "disk_full"


class PermissionMissing(OperatorError):
    """The system does not let us read or write a place."""

    kind = "permission"


class ModelMissing(OperatorError):
    """The base model is not there, not complete, or not for us to fetch."""

    kind = "model_missing"


class NetworkError(JobError):
    """Something on the network did not answer; trying again later may help."""

    kind = "network"
    retryable = True


class ChildFailed(JobError):
    """A child process died or failed in a way we did not foresee: our bug, or the machine's."""

    kind = "bug"
    retryable = True


class OutOfMemory(ChildFailed):
    """The machine or its GPU had too little memory at that moment."""

    kind = "out_of_memory"


class GpuWatchdog(ChildFailed):
    """The system ended our work on the GPU because it held up others, mostly the display."""

    kind = "gpu_watchdog"


class NotFoundError(JobError):
    """A run, model or file that was named does not exist."""

    kind = "not_found"
    exit_code = 4


def error_class(kind: str) -> type[JobError]:
    """The class of a kind of error, such as a child tells of in its receipt; a bug's for an unknown kind."""
    return _by_kind(JobError).get(kind, ChildFailed)


def _by_kind(base: type[JobError]) -> dict[str, type[JobError]]:
    # Walked, not listed: a class that nobody thought of here comes back as itself, too.
    found = {base.kind: base} if "kind" in vars(base) else {}
    for each in base.__subclasses__():
        found |= _by_kind(each)
    return found


_MACHINE: dict[int, tuple[type[OperatorError], str]] = {
    errno.ENOSPC: (DiskFull, "Free some space on the disk; it goes on by itself."),
    errno.EDQUOT: (DiskFull, "Free some space in your quota; it goes on by itself."),
    errno.EROFS: (OperatorError, "Make the disk writable, then retry."),
    errno.EACCES: (PermissionMissing, "Give sectune the permission, then retry."),
    errno.EPERM: (PermissionMissing, "Give sectune the permission (on macOS: Full Disk Access), then retry."),
}
# What macOS guards from a background agent although its owner may read it (TCC), below the user's home.
GUARDED = ("Desktop", "Documents", "Downloads", "Library/Mobile Documents", "Library/CloudStorage")


def of_the_machine(error: BaseException) -> OperatorError | None:
    """A full disk or a missing permission as the operator's error; None if `error` is something else."""
    if not isinstance(error, OSError) or error.errno not in _MACHINE:
        return None
    where = f": {error.filename}" if error.filename else ""
    raised, remedy = _MACHINE[error.errno]
    if raised is PermissionMissing and (folder := guarded(str(error.filename or ""))):
        remedy = guarded_remedy(folder)
    return raised(f"{error.strerror}{where}.", remedy)


def guarded(path: str) -> str | None:
    """The folder that macOS guards in which `path` lies, as it is written below a home; None for others."""
    found = re.search(rf"/Users/[^/]+/({'|'.join(GUARDED)})(?!\w)", path)
    return found[1] if found else None


def guarded_remedy(folder: str) -> str:
    """What to do about a folder that macOS guards."""
    return (
        f"macOS guards {folder} from background agents. Use a folder outside of it (such as ~/sectune), or "
        f"add {sys.executable} to System Settings, Privacy & Security, Full Disk Access; then retry."
    )


class EndChild(Exception):
    """The child is to end in good order (it may save a checkpoint first), and the step goes on later."""


class Stopped(Exception):
    """The daemon is stopping: leave everything as it is, the next daemon goes on from here."""
