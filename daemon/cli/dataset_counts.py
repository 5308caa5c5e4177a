"""What a data set holds, counted by source, quality, language and CWE."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from daemon import terminal
from daemon.cli.dataset_folder import PARTS, rows_of
from jobs.datasets.examples.drop_reasons import DROP_REASONS

KINDS = ("source", "quality", "language", "cwe")
TOP = 12  # CWEs and languages listed by name


def count_examples(folder: Path, stats: dict[str, Any] | None) -> dict[str, Any]:
    """Count what a data set holds.

    Args:
        folder: Where its parts are.
        stats: What its build said about it; None where nobody kept that.
    """
    parts: dict[str, dict[str, Any]] = {}
    for part in PARTS:
        kinds: dict[str, Counter[str]] = {name: Counter() for name in KINDS}
        distinct: set[int] = set()
        for _, _, row in rows_of(folder, (part,)):
            distinct.add(hash(json.dumps(row["messages"])))
            _count(kinds, row["metadata"])
        parts[part] = {
            "rows": kinds["quality"].total(),
            "distinct": len(distinct),
            **{f"by_{name}": dict(counts.most_common()) for name, counts in kinds.items()},
        }
    return {"folder": str(folder), "parts": parts, "dataset_stats": stats}


def _count(kinds: dict[str, Counter[str]], facts: dict[str, Any]) -> None:
    replayed = " (replay)" if facts.get("replay_from_stage1") else ""
    kinds["source"][f"{facts['source']}{replayed}"] += 1
    kinds["language"][facts.get("language") or "unknown"] += 1
    kinds["quality"][facts["quality"]] += 1
    kinds["cwe"].update(facts.get("cwe_ids") or ["none"])


def print_counts(counted: dict[str, Any]) -> None:
    """The counts as tables.

    Args:
        counted: As `count_examples` returns it.
    """
    parts = counted["parts"]
    terminal.table(
        ("part", "rows", "distinct"), [(part, parts[part]["rows"], parts[part]["distinct"]) for part in PARTS]
    )
    for name in KINDS:
        totals: Counter[str] = Counter()
        for part in PARTS:
            totals.update(parts[part][f"by_{name}"])
        shown = [key for key, _ in totals.most_common(TOP)]
        rows = [(key, *(parts[part][f"by_{name}"].get(key, 0) for part in PARTS)) for key in shown]
        terminal.say()
        terminal.table((name, *PARTS), rows)
        if len(totals) > TOP:
            terminal.say(f"and {len(totals) - TOP} more (--json lists all)")
    if counted["dataset_stats"] is None:
        terminal.note("Drops and lengths are not known: nobody kept this build's statistics.")
    else:
        _print_build(counted["dataset_stats"])


def _print_build(stats: dict[str, Any]) -> None:
    dropped = sorted(stats["dropped"].items(), key=lambda item: (-item[1], item[0]))
    terminal.say()
    terminal.table(
        ("left out", "count", "counted by", "why"),
        [(name, count, *DROP_REASONS.get(name, ("", ""))) for name, count in dropped],
    )
    histogram = stats.get("token_histogram", [])
    most = max((step["examples"] for step in histogram), default=0)
    terminal.say()
    terminal.table(
        ("tokens up to", "examples", ""),
        [(step["up_to"], step["examples"], _bar(step["examples"], most)) for step in histogram],
    )
    redacted = stats.get("redacted")
    if redacted:
        kinds = ", ".join(f"{count} x {kind}" for kind, count in redacted["by_kind"].items()) or "none"
        terminal.say(f"\nsecrets redacted in {redacted['examples']} examples: {kinds}")
    cache = stats.get("cache")
    if cache:
        terminal.say(f"cache: {'hit' if cache['hit'] else 'built'} {cache['key'] or '(no key: not pinned)'}")


def _bar(count: int, most: int) -> str:
    return "━" * max(round(40 * count / most), 1) if count else ""
