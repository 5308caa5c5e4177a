"""Gathering for stage 2: a delivery's findings become distinct examples; every drop is counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from jobs import files
from jobs.datasets.from_findings import FindingRenderer
from jobs.datasets.gather import EVERY, Report
from jobs.datasets.pool import ExamplePool, text_digest
from jobs.datasets.reasons import Drops, total_drops
from jobs.datasets.replay import Stage1Train
from jobs.errors import OperatorError
from jobs.findings.finding import PROVENANCES, Finding

_UNKNOWN_TOOL = "unknown"


class FindingGathering:
    """Reads findings into a pool.

    Args:
        renderer: Makes an example of a finding.
        stage1: What stage 1 trained on; an example that stands there is left out, since its test would be
            void.
        report: Told now and then how far the work is.
    """

    def __init__(self, renderer: FindingRenderer, stage1: Stage1Train, report: Report) -> None:
        self._renderer = renderer
        self._stage1 = stage1
        self._report = report
        self._findings: Counter[str] = Counter()
        self._examples: Counter[str] = Counter()
        self._provenances: Counter[str] = Counter()
        self._drops: defaultdict[str, Drops] = defaultdict(Drops)

    def read(self, path: Path, pool: ExamplePool) -> None:
        """Make an example of every finding that has a real fix.

        Args:
            path: One `Finding.to_json` a line.
            pool: Takes the examples.

        Raises:
            OperatorError: The file is not there.
        """
        if not path.is_file():
            raise OperatorError(
                f"The findings are not there: {path} does not exist.", "Parse the delivery again."
            )
        for number, value in enumerate(files.read_jsonl(path)):
            self._take(value, pool)
            if number % EVERY == 0:
                self._report("reading findings", number, None)
        self._report("reading findings", self._findings.total(), self._findings.total())

    def _take(self, value: Any, pool: ExamplePool) -> None:
        try:
            finding = Finding.from_json(value)
        except (TypeError, KeyError, ValueError, AttributeError):
            self._findings[_UNKNOWN_TOOL] += 1
            self._drops[_UNKNOWN_TOOL].add("malformed_finding")
            return
        self._findings[finding.tool] += 1
        refused = self._refusal(finding, pool)
        if refused is not None:
            self._drops[finding.tool].add(refused)
            return
        self._examples[finding.tool] += 1
        self._provenances[finding.fix.provenance] += 1

    def _refusal(self, finding: Finding, pool: ExamplePool) -> str | None:
        made = self._renderer.example(finding)
        if isinstance(made, str):
            return made
        example, tokens = made
        if self._stage1.holds(example):
            return "stands_in_stage1_train"
        # The whole prompt is the question: one package has several advisories, each with its own fixed
        # versions.
        return pool.add(example, tokens, finding.tool, text_digest(example.prompt))

    def per_tool(self) -> dict[str, dict[str, Any]]:
        """Findings read, examples made and drops by reason, for each tool by name."""
        return {
            tool: {
                "findings": self._findings[tool],
                "examples": self._examples[tool],
                "dropped": self._drops[tool].to_json(),
            }
            for tool in sorted(self._findings)
        }

    def per_provenance(self) -> dict[str, int]:
        """Examples by the provenance of their fix, best first."""
        return {name: self._provenances[name] for name in PROVENANCES if self._provenances[name]}

    def dropped(self) -> dict[str, int]:
        """Drops by reason, of all tools together."""
        return total_drops([drops.to_json() for drops in self._drops.values()])
