"""What the base model's tokenizer learns from: its corpus, and the words of both stages with other names.

Every name and version in it comes from another seed than the data that the model is trained and measured
with.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from benchmarks.learn.packages import Advisory, advisories
from benchmarks.learn.pretraining_corpus import corpus_rows
from benchmarks.learn.public_rows import crossvul_rows
from daemon.demo.specimen import vocabulary
from jobs.datasets.examples.example import SYSTEM, conversation, fence, prompt_text
from jobs.datasets.fixes.samples import UPGRADE_TASK
from jobs.datasets.fixes.upgrades import declaration_of
from jobs.findings.model.finding import Package

Row = dict[str, Any]
FIX_TASK = "Fix the vulnerability in this code."


def wording_rows(count: int, seed: int, apart_from: Set[str] = frozenset()) -> Iterator[Row]:
    """About three times `count` conversations; packages of `apart_from` are left out."""
    yield from corpus_rows(count, seed)
    for row in crossvul_rows(count, seed):
        name, sentence = vocabulary()["cwes"][row["cwe_id"]]
        facts = {"CWE": f"{row['cwe_id']} ({name})", "Language": row["language"], "Description": sentence}
        yield _row(FIX_TASK, facts, (row["vulnerable_code"], row["fixed_code"]), row["language"])
    yield from _upgrades([each for each in advisories(count, seed) if each.package not in apart_from])


def _upgrades(found: list[Advisory]) -> Iterator[Row]:
    for advisory in found:
        kind, fixed = advisory.kind, advisory.fixed
        placed = declaration_of(Package(advisory.package, advisory.installed, kind.purl, None, kind.manifest))
        if placed is None:
            continue
        declaration = placed.declaration
        facts = {
            "Advisory": advisory.identifier,
            "Problem": advisory.title,
            "Package": f"{advisory.package} ({kind.purl})",
            "Installed": advisory.installed,
            "Fixed in": ", ".join(fixed),
            "Manifest": declaration.manifest,
        }
        sides = [declaration.write(advisory.package, version) for version in (advisory.installed, fixed[0])]
        yield _row(UPGRADE_TASK, facts, (sides[0], sides[1]), declaration.tag)


def _row(task: str, facts: dict[str, str], sides: tuple[str, str], tag: str) -> Row:
    before, after = (fence(text.rstrip("\n"), tag) for text in sides)
    return {"messages": list(conversation(prompt_text(task, {**facts}, before), after, SYSTEM))}
