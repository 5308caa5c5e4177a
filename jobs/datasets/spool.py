"""A spool: values on disk, written one after another and read by offset, so that memory stays flat."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any


class Spool:
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

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
