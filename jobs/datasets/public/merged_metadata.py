"""Merged metadata: what further rows tell of a change that is there already, on disk until it is needed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from jobs.datasets.pool.scratch_db import scratch_database
from jobs.datasets.public.candidate import Candidate

_SCHEMA = "CREATE TABLE joined (number INTEGER, facts TEXT); CREATE INDEX by_number ON joined (number);"


class MergedMetadata:
    """CWEs, keys and descriptions of rows that repeat a change, by the number of its first candidate."""

    def __init__(self, path: Path) -> None:
        self._database = scratch_database(path, _SCHEMA)

    def add(self, number: int, candidate: Candidate) -> None:
        """Keep what a further row tells."""
        facts = json.dumps([candidate.cwes, candidate.groups, candidate.description])
        self._database.execute("INSERT INTO joined VALUES (?, ?)", (number, facts))

    def complete(self, number: int, candidate: Candidate) -> Candidate:
        """The first candidate with all that the further rows tell, in their order."""
        found = self._database.execute("SELECT facts FROM joined WHERE number = ? ORDER BY rowid", (number,))
        cwes, groups, description = dict(candidate.cwes), list(candidate.groups), candidate.description
        for (facts,) in found:
            more_cwes, more_groups, more_description = json.loads(facts)
            cwes.update({identifier: name for identifier, name in more_cwes if not cwes.get(identifier)})
            groups += more_groups
            description = description or more_description
        return dataclasses.replace(
            candidate, cwes=tuple(cwes.items()), groups=tuple(dict.fromkeys(groups)), description=description
        )

    def close(self) -> None:
        """Let go of the cache and the file."""
        self._database.close()
