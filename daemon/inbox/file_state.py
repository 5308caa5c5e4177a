"""What becomes of a file that was seen in the inbox or submitted: its states, and which may follow which.

Nothing heavy is imported: `sectune status` counts files by their state.
"""

from __future__ import annotations

from enum import StrEnum


class FileState(StrEnum):
    """What became of a file so far."""

    SETTLING = "settling"
    """It still changes, or waits for its download to end."""
    ACCEPTED = "accepted"
    """It was read and holds something new; its delivery is still open, or its run could not be made yet."""
    QUEUED = "queued"
    """It is in a run."""
    REFUSED = "refused"
    """It is no report, a link, or too large."""
    DUPLICATE = "duplicate"
    """Its content, or each of its findings, was taken before."""
    NOTHING = "nothing"
    """It is a report without findings."""
    FAILED = "failed"
    """We or the machine could not read it; it is tried again."""
    GONE = "gone"
    """It vanished before it was read."""


# What a look at a settled file can come to.
READ = frozenset(
    {FileState.ACCEPTED, FileState.REFUSED, FileState.DUPLICATE, FileState.NOTHING, FileState.FAILED}
)
# The watcher looks at such a file no more, as long as it stays the same.
FINAL = (READ - {FileState.FAILED}) | {FileState.QUEUED}
# Read, and nothing to train on; such a file stands in the manifest of the run it arrived with.
BYSTANDERS = READ - {FileState.ACCEPTED, FileState.FAILED}

# Which state may follow which; None is a file that was never seen. What is not named here stays as it is.
NEXT: dict[FileState | None, frozenset[FileState]] = {
    None: READ | {FileState.SETTLING},
    FileState.SETTLING: READ | {FileState.SETTLING, FileState.GONE},
    FileState.FAILED: READ | {FileState.GONE},
    FileState.ACCEPTED: frozenset({FileState.ACCEPTED, FileState.QUEUED, FileState.FAILED}),
    FileState.GONE: frozenset({FileState.SETTLING, FileState.FAILED}),
}
# Noted and not read: such a file can still vanish, or be given up for another content of the same name.
UNREAD = frozenset(state for state, following in NEXT.items() if state and FileState.GONE in following)


class IllegalChange(Exception):
    """A file was to get a state that cannot follow the one it has: a bug of ours."""


def check_change(before: FileState | None, after: FileState) -> None:
    """See to it that a file may go from one state to another.

    Args:
        before: The state it has; None for a file that was never seen.
        after: The state it is to get.

    Raises:
        IllegalChange: It may not.
    """
    if after not in NEXT.get(before, frozenset()):
        raise IllegalChange(f"a file that is {before or 'new'} cannot become {after}")
