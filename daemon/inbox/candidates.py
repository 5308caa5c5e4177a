"""What counts as a file of the inbox, and what it waits for before it may be read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

IGNORED = re.compile(r"^(\._.*|\.DS_Store|__MACOSX|\.Trashes|Thumbs\.db|desktop\.ini|~\$.*|\..*)$")
PARTIAL_SUFFIXES = (".crdownload", ".part", ".partial", ".tmp", ".opdownload", ".aria2", ".download")
PARTIAL_NAME = re.compile(r"^Unconfirmed \d+")
HAS_FLAGS = hasattr(os.stat_result, "st_flags")
SF_DATALESS = 0x40000000  # macOS: the content is in the cloud; opening it would download it


def candidates(
    root: Path, on_error: Callable[[OSError], object] | None = None
) -> Iterator[tuple[Path, str | None]]:
    """Everything below the inbox that counts as a file, with what it waits for (a partial sibling).

    Links are yielded, to be refused with a reason, and not followed; hidden and system files are
    passed over.

    Args:
        root: The folder.
        on_error: Told about each folder that cannot be listed.
    """
    for folder, folders, names in os.walk(root, followlinks=False, onerror=on_error):
        folders[:] = sorted(name for name in folders if not _passed_over(name, folder=True))
        present = set(names)
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in sorted((*names, *links)):
            if not _passed_over(name):
                path = Path(folder, name)
                yield path, _waits_for(path, name, present)


def _passed_over(name: str, folder: bool = False) -> bool:
    # Safari keeps a running download in a folder name.download; the report appears beside it at the end.
    return bool(IGNORED.match(name)) or (folder and name.endswith(".download"))


def _waits_for(path: Path, name: str, present: set[str]) -> str | None:
    if name.endswith(PARTIAL_SUFFIXES) or PARTIAL_NAME.match(name):
        return "its download to end"
    for suffix in (".part", ".aria2", ".crdownload", ".partial"):
        if name + suffix in present:
            return f"{name}{suffix} to disappear"
    if not HAS_FLAGS:
        return None
    with suppress(OSError):  # whoever reads it next says what is wrong
        if getattr(path.lstat(), "st_flags", 0) & SF_DATALESS:
            return "its content to be downloaded from the cloud"
    return None
