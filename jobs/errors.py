"""The errors sectune raises on purpose, split by who can act on them.

Anything else that escapes a step is a bug of ours and is recorded with its traceback.
"""

from __future__ import annotations


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


class Stopped(Exception):
    """The daemon is stopping: leave everything as it is, the next daemon goes on from here."""
