"""Runs the training child; it records every point of its life, or kills itself with SIGKILL at one of them.

Arguments: the work folder, the folder whose files count, where to record, the point to die at (empty: none).
A point is "step|what|how often at this step": a file opened for writing, renamed or removed, a forced write,
an applied step, a validation batch. It is the same point in every life that passes the step, so a failure
can be replayed.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

WRITING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")
CALLS = {
    ("reports.py", "on_train_loss_report"): "step applied",
    ("files.py", "fsync_fd"): "forced write",
    ("adapter.py", "save_weights"): "weights about to be written",
    ("train.py", "_finish"): "finishing",
}


class Life:
    """Where this child is, and where it is to end."""

    def __init__(self, root: str, record: Path, end: str) -> None:
        self.root = root
        self.record = record.open("a", encoding="utf-8")
        self.end = end
        self.step = 0
        self.seen: Counter[tuple[int, str]] = Counter()

    def passes(self, what: str) -> None:
        """Record a point, and die there if it is the one."""
        if threading.current_thread() is not threading.main_thread():
            return
        self.seen[self.step, what] += 1
        point = f"{self.step}|{what}|{self.seen[self.step, what]}"
        self.record.write(point + "\n")
        self.record.flush()
        if point == self.end:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook: files below the root that are about to change."""
        if event == "open":
            path, _, flags = arguments
            if isinstance(path, str | os.PathLike) and flags & (os.O_WRONLY | os.O_RDWR):
                self._file("open", os.fspath(path))
        elif event in WRITING and isinstance(arguments[0], str | os.PathLike):
            target = arguments[1] if event == "os.rename" else arguments[0]
            self._file(event.removeprefix("os."), os.fspath(target))

    def _file(self, what: str, path: str | bytes) -> None:
        text = os.fsdecode(path)
        if text.startswith(self.root) and not text.endswith(".lock"):
            name = re.sub(r"\.[0-9a-f]{8}\.tmp$", ".tmp", Path(text).name)
            self.passes(f"{what} {name}")

    def profile(self, frame: FrameType, event: str, argument: object) -> None:
        """A profile hook: what the trainer is doing."""
        if event != "call":
            return
        code = frame.f_code
        place = (code.co_filename.rpartition("/")[2], code.co_name)
        if place == ("train.py", "after_step"):
            self.step = frame.f_locals["step"]
        elif place == ("train.py", "_train"):
            self.step = frame.f_locals["session"].reports.start
        elif place == ("loss.py", "__call__"):
            if frame.f_back is not None and frame.f_back.f_code.co_name == "evaluate":
                self.passes("validation batch")
        elif place in CALLS:
            self.passes(CALLS[place])


def main() -> None:
    """Hook in, then be the training child."""
    work, root, record, end = sys.argv[1:5]
    sys.argv = [sys.argv[0], work]
    from jobs.children import entry
    from jobs.mlx.training import train
    from jobs.mlx.training.request import TrainingRequest

    life = Life(root, Path(record), end)
    sys.addaudithook(life.audit)
    sys.setprofile(life.profile)
    entry.main(train.run, TrainingRequest)


if __name__ == "__main__":
    main()
