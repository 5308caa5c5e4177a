"""Collecting for stage 2: a delivery's findings become distinct examples; every drop is counted."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from jobs.datasets.examples.drop_reasons import Drops, total_drops
from jobs.datasets.examples.example import Example
from jobs.datasets.examples.progress import EVERY, Report
from jobs.datasets.fixes.offers import SOURCES_OF_FIXES
from jobs.datasets.fixes.render import FindingRenderer
from jobs.datasets.pool.example_store import ExamplePool, text_digest
from jobs.errors import OperatorError
from jobs.findings.model.finding import Finding
from jobs.fs import files

_UNKNOWN_TOOL = "unknown"


class FindingCollector:
    """Reads findings into a pool.

    Args:
        renderer: Makes an example of a finding.
        report: Told now and then how far the work is.
    """

    def __init__(self, renderer: FindingRenderer, report: Report) -> None:
        self._renderer = renderer
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
        made = self._renderer.examples(finding)
        if isinstance(made, str):
            self._drops[finding.tool].add(made)
            return
        for example, tokens in made:
            self._keep(finding.tool, example, tokens, pool)

    def _keep(self, tool: str, example: Example, tokens: int, pool: ExamplePool) -> None:
        # The whole prompt is the question: one package has several advisories, each with its own fixed
        # versions.
        refused = pool.add(example, tokens, tool, text_digest(example.prompt))
        if refused is not None:
            self._drops[tool].add(refused)
            return
        self._examples[tool] += 1
        self._provenances[example.metadata["provenance"]] += 1

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
        return {name: self._provenances[name] for name in SOURCES_OF_FIXES if self._provenances[name]}

    def drops_by_reason(self) -> dict[str, int]:
        """Drops by reason, of all tools together."""
        return total_drops([drops.to_json() for drops in self._drops.values()])
