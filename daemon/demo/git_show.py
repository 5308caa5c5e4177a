"""Commits in the words of `git show -U5`, and the lines that they take and give."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

CONTEXT = 5  # CVEfixes was gathered with -U5
HUNK = re.compile(r"^@@ -(\d+)")


@dataclass(frozen=True)
class Change:
    """One file of a commit; a side that does not exist is None."""

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Commit:
    """What stands above the differences."""

    hash: str
    author: str
    date: str
    message: str
    parents: tuple[str, ...] = ()


def blob_id(text: str | None) -> str:
    """The first seven digits of git's name for a file's content; zeros for no file."""
    if text is None:
        return "0" * 7
    data = text.encode("utf-8")
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()[:7]


def heading(lines: list[str], above: int) -> str:
    """What git writes behind `@@`: the nearest line above the hunk that begins a definition."""
    for line in reversed(lines[:above]):
        if re.match(r"[A-Za-z_$]", line):
            return " " + line[:80].rstrip()
    return ""


def hunks(before: str, after: str) -> Iterator[str]:
    """The hunks between two texts, line by line, each `@@` line with its heading."""
    old, new = before.splitlines(), after.splitlines()
    lines = difflib.unified_diff(old, new, n=CONTEXT, lineterm="")
    for number, line in enumerate(lines):
        if number < 2:  # difflib's own two file lines
            continue
        match = HUNK.match(line)
        yield line + heading(old, max(int(match[1]) - 1, 0)) if match else line


def file_diff(change: Change) -> str:
    """One file's part of `git show`."""
    path, mode = change.path, "100644"
    ids = f"{blob_id(change.before)}..{blob_id(change.after)}"
    lines = [f"diff --git a/{path} b/{path}"]
    if change.before is None:
        lines += [f"new file mode {mode}", f"index {ids}", "--- /dev/null", f"+++ b/{path}"]
    elif change.after is None:
        lines += [f"deleted file mode {mode}", f"index {ids}", f"--- a/{path}", "+++ /dev/null"]
    else:
        lines += [f"index {ids} {mode}", f"--- a/{path}", f"+++ b/{path}"]
    lines += hunks(change.before or "", change.after or "")
    return "\n".join(lines) + "\n"


def combined_diff(change: Change) -> str:
    """The same change as a merge shows it whose two parents had the same file: every mark stands twice."""
    before, after = change.before or "", change.after or ""
    lines = [
        f"diff --cc {change.path}",
        f"index {blob_id(before)},{blob_id(before)}..{blob_id(after)}",
        f"--- a/{change.path}",
        f"+++ b/{change.path}",
    ]
    for line in hunks(before, after):
        old = line.split(" ", 2)[1] if line.startswith("@@") else ""
        lines.append(
            "@" + line.replace(old, f"{old} {old}", 1).replace(" @@", " @@@", 1) if old else line[0] + line
        )
    return "\n".join(lines) + "\n"


def show(commit: Commit, changes: list[Change]) -> str:
    """The whole text of `git show -U5`; a merge that took both sides as they were has no differences."""
    head = [f"commit {commit.hash}"]
    if commit.parents:
        head.append("Merge: " + " ".join(parent[:7] for parent in commit.parents))
    head += [f"Author: {commit.author}", f"Date:   {commit.date}", ""]
    head += ["    " + line if line else "" for line in commit.message.splitlines()]
    diff = combined_diff if commit.parents else file_diff
    return "\n".join(head) + "\n" + ("\n" if changes else "") + "".join(diff(change) for change in changes)


def taken_and_given(changes: list[Change]) -> tuple[str, str]:
    """All `-` lines of a commit and all `+` lines, each joined: CVEfixes' two code columns."""
    lines = [line for change in changes for line in hunks(change.before or "", change.after or "")]
    taken = [line[1:] for line in lines if line.startswith("-")]
    given = [line[1:] for line in lines if line.startswith("+")]
    return "\n".join(taken), "\n".join(given)
