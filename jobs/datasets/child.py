"""The data set child: `datasets` and `transformers` are imported here, never in the daemon."""

from __future__ import annotations

import time
from typing import Any

from jobs.children import entry
from jobs.children.entry import Assignment
from jobs.datasets.build import build_stage1, build_stage2
from jobs.datasets.request import BuildMessage, Stage1Request

REPORT_SECONDS = 0.5


class _Reporter:
    """Passes on how far the building is, but not more often than anybody looks."""

    def __init__(self, assignment: Assignment[BuildMessage]) -> None:
        self.assignment = assignment
        self._last = float("-inf")

    def __call__(self, phase: str, done: int, total: int | None) -> None:
        if time.monotonic() - self._last >= REPORT_SECONDS or done == total:
            self._last = time.monotonic()
            self.assignment.report(phase=phase, iteration=done, iterations=total)


def run(assignment: Assignment[BuildMessage]) -> dict[str, Any]:
    """Build one stage's training data.

    Returns:
        Its statistics, as the manifest records them.
    """
    request = assignment.payload.request
    report = _Reporter(assignment)
    if isinstance(request, Stage1Request):
        stats = build_stage1(request, report)
    else:
        stats = build_stage2(request, report)
    assignment.say("training data built", examples=stats["total_examples"], train=stats["train_examples"])
    return stats


if __name__ == "__main__":
    entry.main(run, BuildMessage)
