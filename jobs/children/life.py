"""Which children are alive: a busy lock says so to everybody, a handle to whoever started the child."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from jobs.children import protocol
from jobs.fs import files
from jobs.fs.locks import Holder, lock_holder

_own: dict[Path, subprocess.Popen[bytes]] = {}  # what this very process started, by its work folder


def remember(work: Path, process: subprocess.Popen[bytes]) -> None:
    """Keep the handle of a child that was started in `work`, which knows its end before any lock does."""
    for folder, ended in list(_own.items()):
        if ended.returncode is not None:  # somebody has looked, and knows how it ended
            _own.pop(folder, None)
    _own[work] = process


def own(work: Path) -> subprocess.Popen[bytes] | None:
    """The last child that this process started in `work`, alive or not."""
    return _own.get(work)


def own_alive(work: Path) -> subprocess.Popen[bytes] | None:
    """The living child that this process started in `work`, whether it has its lock already or not."""
    process = own(work)
    return process if process is not None and process.poll() is None else None


def is_alive(work: Path) -> bool:
    """Whether a child works in `work`: one of ours, also before it has its lock, or another's with it."""
    return own_alive(work) is not None or lock_holder(work / protocol.LOCK) is not None


def living(work: Path) -> int | None:
    """The process id of the child that holds the lock in `work`, if one does."""
    holder = lock_holder(work / protocol.LOCK)
    return None if holder is None else Holder.parse(holder).pid


def request_in(work: Path) -> dict[str, Any] | None:
    """The request file in `work`, if there is one."""
    try:
        return dict(files.read_json(work / protocol.REQUEST))
    except FileNotFoundError:
        return None


def key_in(work: Path) -> str | None:
    """The key of the task that the request in `work` asks for; None where there is no request."""
    request = request_in(work)
    return None if request is None else str(request["key"])


def works_on(work: Path, key: str) -> bool:
    """Whether a living child in `work` does the task with this key."""
    return is_alive(work) and key_in(work) == key
