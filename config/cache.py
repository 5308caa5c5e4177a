"""What can be computed again, kept in the user's cache folder: written whole, read with suspicion.

Only the standard library's lightest modules are imported here: `sectune status` goes through this file.
"""

# pathlib takes 6 ms to import, half of what an empty Python process takes.
# ruff: noqa: PTH103, PTH105, PTH111, PTH116, PTH117, PTH118, PTH123
from __future__ import annotations

import json
import os
import sys
import time

TYPE_CHECKING = False  # typing itself takes 3 ms to import; a type checker reads this as true
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# A file that changed this recently may change again without looking different: kernels take the time in ticks
# of up to 10 ms, and some file systems write it down in steps of 2 s.
TICK_SECONDS = 0.05
COARSE_SECONDS = 2.1
Look = list[int]


def cache_folder(environ: Mapping[str, str] | None = None) -> str | None:
    """Where what can be computed again is kept; None where the user has no home.

    platformdirs says the same, but takes longer to import than all else that `status` does.
    """
    environ = os.environ if environ is None else environ
    configured = environ.get("XDG_CACHE_HOME", "")
    caches = "~/Library/Caches" if sys.platform == "darwin" else "~/.cache"
    root = configured if os.path.isabs(configured) else os.path.expanduser(caches)
    return os.path.join(root, "sectune") if os.path.isabs(root) else None


def look_of(path: str) -> Look | None:
    """What a file looks like; None if it is not there. One of these differs after any change."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def settled(look: Look | None) -> bool:
    """Whether a file has been the same for long enough that its look tells its content."""
    if look is None:
        return True
    coarse = look[1] % 10**9 == 0 or look[2] % 10**9 == 0
    return time.time() - max(look[1], look[2]) / 1e9 > (COARSE_SECONDS if coarse else TICK_SECONDS)


def number_of(text: str) -> str:
    """A short name for a text; two texts may share one, so the file must hold the text, too.

    hashlib would do better, but takes 4 ms to import.
    """
    from binascii import crc32

    return f"{crc32(text.encode('utf-8', 'surrogateescape')):08x}"


def write_cache(name: str, value: object) -> None:
    """Write one file of the cache; a cache that cannot be written is only slow."""
    folder = cache_folder()
    if folder is None:
        return
    path = os.path.join(folder, name)
    draft = f"{path}.{os.getpid()}.tmp"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as stream:
            json.dump(value, stream, separators=(",", ":"))
        os.replace(draft, path)
    except OSError:
        return


def read_cache(name: str) -> Any:
    """The content of one file of the cache; None if there is none, or none that can be read."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        with open(os.path.join(folder, name), encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError):
        return None
