"""The errors sectune raises on purpose, split by who can act on them.

Anything else that escapes a step is a bug of ours and is recorded with its traceback.
"""

from __future__ import annotations

import errno


class SectuneError(Exception):
    """An error with a cause and, where there is one, the thing to do about it.

    Args:
        message: What went wrong, where, while doing what.
        remedy: What the reader can do now; empty if there is nothing to do.
    """

    kind = "error"
    retryable = False

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()


class DeliveryRefused(SectuneError):
    """What was delivered cannot be used; only the one who delivered it can change that."""

    kind = "delivery"


class OperatorError(SectuneError):
    """A setting, a missing file, a full disk or a permission: the operator can mend it."""

    kind = "operator"


class NetworkError(SectuneError):
    """Something on the network did not answer; trying again later may help."""

    kind = "network"
    retryable = True


class ChildFailed(SectuneError):
    """A child process died or failed in a way we did not foresee: our bug, or the machine's."""

    kind = "bug"
    retryable = True


class NotFoundError(SectuneError):
    """A run, model or file that was named does not exist."""

    kind = "not_found"


_MACHINE = {
    errno.ENOSPC: "Free some space on the disk, then retry.",
    errno.EDQUOT: "Free some space in your quota, then retry.",
    errno.EROFS: "Make the disk writable, then retry.",
    errno.EACCES: "Give sectune the permission, then retry.",
    errno.EPERM: "Give sectune the permission (on macOS: Full Disk Access), then retry.",
}


def of_the_machine(error: BaseException) -> OperatorError | None:
    """A full disk or a missing permission as the operator's error; None if `error` is something else."""
    if not isinstance(error, OSError) or error.errno not in _MACHINE:
        return None
    where = f": {error.filename}" if error.filename else ""
    return OperatorError(f"{error.strerror}{where}.", _MACHINE[error.errno])


class EndChild(Exception):
    """The child is to end in good order (it may save a checkpoint first), and the step goes on later."""


class Held(EndChild):
    """The device is not to be used now (battery, quiet hours); the reason is in words."""


class Stopped(Exception):
    """The daemon is stopping: leave everything as it is, the next daemon goes on from here."""
