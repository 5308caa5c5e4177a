"""An offset file: values on disk, written one after another and read by offset, so that memory stays flat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class OffsetFile:
    """A scratch file of JSON lines; it is not durable and is removed by whoever owns its folder."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("w+b")
        self._end = 0

    def append(self, value: Any) -> int:
        """Write one value and return the offset to read it by."""
        offset = self._end
        self._stream.seek(offset)
        self._end += self._stream.write(json.dumps(value).encode("ascii") + b"\n")
        return offset

    def read(self, offset: int) -> Any:
        """The value that `append` gave this offset for."""
        self._stream.seek(offset)
        return json.loads(self._stream.readline())

    def __iter__(self) -> Iterator[Any]:
        """Every value in the order of writing; none may be appended meanwhile."""
        self._stream.seek(0)
        for line in self._stream:
            yield json.loads(line)

    def close(self) -> None:
        """Let go of the file."""
        self._stream.close()
