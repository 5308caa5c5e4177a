"""A run at its end, as tables."""

from __future__ import annotations

from typing import Any

from daemon import terminal
from jobs.runs.manifest import Manifest


def print_sources(manifest: Manifest) -> None:
    """What each source gave, and why the rest was left out."""
    rows: list[tuple[str, Any, Any, str]] = []
    for source, facts in manifest.stage1.dataset_stats.get("per_source", {}).items():
        rows.append((source, facts["rows"], facts["examples"], _reasons(facts["dropped"])))
    for tool, facts in manifest.stage2.dataset_stats.get("per_tool", {}).items():
        rows.append((tool, facts["findings"], facts["examples"], _reasons(facts["dropped"])))
    terminal.table(("source", "rows or findings", "examples", "left out, and why"), rows)
    terminal.say()


def _reasons(dropped: dict[str, int]) -> str:
    counted = sorted(dropped.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in counted)


def print_examples(manifest: Manifest) -> None:
    """The examples of each part, and the losses."""
    rows = []
    for number in (1, 2):
        stage = manifest.stage(number)
        stats, measured = stage.dataset_stats, stage.training_params.get("measured", {})
        rows.append(
            (
                f"stage {number}",
                stats.get("train_examples"),
                stats.get("validation_examples"),
                stats.get("test_examples"),
                terminal.number(measured.get("first_train_loss")),
                terminal.number(measured.get("final_train_loss")),
                terminal.duration(stage.duration_seconds),
            )
        )
    terminal.table(("", "train", "valid", "test", "loss at start", "at end", "took"), rows)
    terminal.say()


def print_results(manifest: Manifest) -> None:
    """The scores of base model, stage 1 and stage 2."""
    scores = manifest.validation
    rows = [
        (
            "exact match, stage 1 test part",
            scores.base_score_stage1,
            scores.stage1_score,
            scores.stage2_score_on_stage1,
        ),
        (
            "exact match, stage 2 test part",
            scores.base_score_stage2,
            scores.stage1_score_on_stage2,
            scores.stage2_score,
        ),
    ]
    shown = [(name, *map(terminal.percent, values)) for name, *values in rows]
    terminal.table(("", "base", "stage 1", "stage 2"), shown)
    terminal.say(f"retention of stage 1 after stage 2: {terminal.percent(scores.retention_rate)}")
