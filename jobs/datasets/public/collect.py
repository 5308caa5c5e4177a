"""Collecting for stage 1: rows of the public sources become distinct examples; every drop is counted.

Two passes, since a change may stand in several rows whose CWEs belong together: first all rows are read
into a file of candidates, then each candidate, complete by now, is made an example.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from jobs.datasets.examples.drop_reasons import Drops
from jobs.datasets.examples.example import code_digest, prompt_code
from jobs.datasets.examples.progress import EVERY, Report
from jobs.datasets.pool.example_store import ExamplePool, text_number
from jobs.datasets.pool.offset_file import OffsetFile
from jobs.datasets.pool.scratch_db import NumberTable
from jobs.datasets.public import sources as public_sources
from jobs.datasets.public.candidate import Candidate
from jobs.datasets.public.merged_metadata import MergedMetadata
from jobs.datasets.public.render import Renderer
from jobs.datasets.public.rows import local_path, rows, setting_of
from jobs.datasets.public.source import Source
from jobs.errors import OperatorError

# Duplicates are told by the change and this much around it, since sources keep different amounts of context.
_CORE_CONTEXT = 3


class PublicCollector:
    """Reads public sources into a pool.

    Args:
        scratch: A folder, for what `datasets` writes itself and for what waits for the second pass.
        context: Unchanged lines to keep around a change.
        report: Told now and then how far the work is.
    """

    def __init__(self, scratch: Path, context: int, report: Report) -> None:
        self._scratch = scratch
        self._context = context
        self._report = report
        self._candidates = OffsetFile(scratch / "candidates.jsonl")
        self._count = 0
        self._known = NumberTable(scratch / "known.db")
        self._merged = MergedMetadata(scratch / "merged.db")
        self._fixes = NumberTable(scratch / "fixes.db")
        self._rows: Counter[str] = Counter()
        self._examples: Counter[str] = Counter()
        self._drops: defaultdict[str, Drops] = defaultdict(Drops)

    def read(self, source: Source) -> None:
        """Read one source's rows into candidates.

        Raises:
            OperatorError: The source cannot be read or lacks a column.
            NetworkError: The Hub cannot be reached.
        """
        public, drops = public_sources.load(source.name), self._drops[source.name]
        for row in rows(source, self._scratch / "datasets-cache", drops, public.read_columns):
            if not self._rows[source.name] and (missing := public.missing_columns(row)):
                raise OperatorError(
                    f"{source.location} is no {source.name} data: it has no column {', '.join(missing)}.",
                    f"Correct `{setting_of(source)}`.",
                )
            self._rows[source.name] += 1
            for candidate in public.candidates(row, self._context, drops):
                self._take(candidate)
            if self._rows[source.name] % EVERY == 0:
                self._report(f"reading {source.name}", self._rows[source.name], source.max_rows)
        self._report(f"reading {source.name}", self._rows[source.name], self._rows[source.name])

    def _take(self, candidate: Candidate) -> None:
        identity = text_number(f"{candidate.source}\0{candidate.key}")
        known = self._known.get(identity)
        if known is not None:
            self._drops[candidate.source].add("merged_with_same_change")
            # What it adds is its CWEs and keys; the change itself is there already.
            self._merged.add(known, candidate)
            return
        self._known.put(identity, self._count)
        self._candidates.append(candidate.to_json())
        self._count += 1

    def fill(self, pool: ExamplePool, renderer: Renderer) -> None:
        """Make an example of every candidate and put it into the pool; what does not pass is counted."""
        for number, value in enumerate(self._candidates):
            candidate = self._merged.complete(number, Candidate.from_json(value))
            source = candidate.source
            refused = self._refusal(candidate, pool, renderer)
            if refused is None:
                self._examples[source] += 1
            else:
                self._drops[source].add(refused)
            if number % EVERY == 0:
                self._report("making examples", number, self._count)
        self._report("making examples", self._count, self._count)

    def _refusal(self, candidate: Candidate, pool: ExamplePool, renderer: Renderer) -> str | None:
        made = renderer.example(candidate)
        if isinstance(made, str):
            return made
        example, tokens = made
        code, fix = text_number(prompt_code(example.prompt)), text_number(example.answer)
        if self._fixes.get(code) not in (None, fix):
            # Two fixes in one function: each is determined by the lines around it, not by the whole.
            group = dataclasses.replace(candidate.group, definition=None)
            if candidate.group.definition is None:
                return "another_fix_for_the_same_code"
            return self._refusal(dataclasses.replace(candidate, group=group), pool, renderer)
        refused = pool.add(example, tokens, candidate.source, *_identity(candidate))
        if refused is None:
            self._fixes.put(code, fix)
        return refused

    def per_source(self, sources: tuple[Source, ...]) -> dict[str, dict[str, Any]]:
        """Rows read, examples made and drops by reason, with licence and attribution, for each source."""
        return {
            source.name: {
                "location": _public_location(source),
                "revision": source.revision,
                "rows": self._rows[source.name],
                "examples": self._examples[source.name],
                "dropped": self._drops[source.name].to_json(),
                "title": public_sources.load(source.name).title,
                "licence": public_sources.load(source.name).licence,
                "attribution": public_sources.load(source.name).attribution,
            }
            for source in sources
        }

    def close(self) -> None:
        """Let go of all files; the counts stay."""
        for held in (self._candidates, self._known, self._merged, self._fixes):
            held.close()


def _identity(candidate: Candidate) -> tuple[str, str]:
    """Digests of what is changed and into what, whatever the source keeps around it."""
    core = candidate.group.window(_CORE_CONTEXT)
    return code_digest(core.before), code_digest(core.after)


def _public_location(source: Source) -> str:
    """The location without the folders of this machine: statistics travel with the model."""
    path = local_path(source.location)
    return source.location if path is None else path.name
