"""`python -m benchmarks.learn`: the proof, watched from the outside, with its tables and its verdict."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.progress import Progress

from benchmarks.learn.scene import Learning
from daemon import terminal
from daemon.exit_codes import FAILED, OK
from daemon.presentation.tables import print_examples, print_results, print_sources
from daemon.presentation.watch import progress_bars, running_daemon, watch_run
from jobs.fs import files
from jobs.runs.manifest import Manifest, Validation, seconds_between

LONGEST_SECONDS = 12 * 3600  # without a fast BLAS
STAGE2_AIM, RETENTION_AIM = 70.0, 90.0  # percent
SMALLEST_STAGE1, SMALLEST_STAGE2 = 2000, 300  # examples
MINUTES_AIM = 40


def prove(home: Path, preload: Path | None, share: float = 1.0) -> dict[str, Any]:
    """Make the data and the base model, run the project's chain, and measure.

    Args:
        home: Where everything is kept; see `Learning`.
        preload: A fast BLAS for the children; None where there is none, or none is needed.
        share: How much of the data and of the training to use.

    Returns:
        The figures, as JSON values; also written to `learn.json` beside the run's settings.
    """
    began = time.monotonic()
    scene = Learning(home, preload, share)
    rows = scene.write_data()
    scene.write_settings()
    terminal.note(f"Everything of this proof is in {scene.home}. To look on from another terminal:")
    terminal.note(
        f"  export SECTUNE_CONFIG={scene.config}\n  sectune status; sectune runs; sectune logs -f\n"
    )
    with progress_bars() as progress:
        base = _base_model(scene, progress)
        with running_daemon(scene) as process:
            scene.drop_delivery()
            run = watch_run(scene, progress, process, LONGEST_SECONDS)
    found = figures(run.manifest, base, rows, time.monotonic() - began)
    files.write_json(scene.home / "learn.json", found)
    tell(run.manifest, found)
    return found


def _base_model(scene: Learning, progress: Progress) -> dict[str, Any]:
    began = time.monotonic()
    task = progress.add_task("base model", total=None, facts="its tokenizer, then copying and replacing")

    def shown(facts: dict[str, Any]) -> None:
        progress.update(
            task,
            completed=facts["iteration"],
            total=facts["iterations"],
            facts=f"loss {facts['train_loss']:.3f}",
        )

    made = scene.make_base_model(shown)
    took = time.monotonic() - began
    made |= {"waited_seconds": took, "seconds": max(took, made["seconds"])}
    progress.update(task, total=1, completed=1, facts=f"{made['parameters']:,} parameters")
    progress.stop_task(task)
    return made


def figures(manifest: Manifest, base: dict[str, Any], rows: dict[str, int], seconds: float) -> dict[str, Any]:
    """What was measured, and which aims were missed.

    Args:
        manifest: The run's.
        base: The receipt of the base model.
        rows: Rows of the generated data by name.
        seconds: How long all of it took; what a base model that was there already once took is added.
    """
    scores = manifest.validation
    stages = [manifest.stage(number).dataset_stats for number in (1, 2)]
    phases = {"base model": base["seconds"], **_phases(manifest)}
    total = seconds - base["waited_seconds"] + base["seconds"]
    found: dict[str, Any] = {
        "run": manifest.run_id,
        "status": manifest.status,
        "rows": rows,
        "base_model": base,
        "examples": {
            name: {part: stats.get(f"{part}_examples") for part in ("total", "train", "validation", "test")}
            for name, stats in zip(("stage1", "stage2"), stages, strict=True)
        },
        "dropped": {
            name: stats.get("dropped") for name, stats in zip(("stage1", "stage2"), stages, strict=True)
        },
        "leaks": {
            "stage1": _leaks(stages[0]),
            "stage2": _leaks(stages[1]),
            "across": _leaks(stages[1], across=True),
        },
        "exact_match": _exact_match(scores),
        "retention": scores.retention_rate,
        "seconds": {**phases, "total": total},
    }
    return {**found, "missed": missed(found)}


def _exact_match(scores: Validation) -> dict[str, dict[str, float | None]]:
    return {
        "stage1_test": {"base": scores.base_score_stage1, "stage1": scores.stage1_score},
        "stage2_test": {
            "base": scores.base_score_stage2,
            "stage1": scores.stage1_score_on_stage2,
            "stage2": scores.stage2_score,
        },
    }


def _phases(manifest: Manifest) -> dict[str, float]:
    return {
        step.name: seconds_between(step.started_at, step.ended_at)
        for step in manifest.steps
        if step.started_at and step.ended_at
    }


def _leaks(stats: dict[str, Any], across: bool = False) -> int | None:
    leakage = stats.get("leakage", {})
    leaks: int | None = (leakage.get("across_stages", {}) if across else leakage).get("leaks")
    return leaks


def missed(found: dict[str, Any]) -> list[str]:
    """A sentence for each aim that was not reached; what was not measured reaches none."""
    counts, leaks = found["examples"], found["leaks"]
    score, kept = found["exact_match"]["stage2_test"]["stage2"], found["retention"]
    checks = [
        (found["status"] == "completed", f"The run ended as {found['status']}."),
        (
            (counts["stage1"]["total"] or 0) >= SMALLEST_STAGE1,
            f"Stage 1 has fewer than {SMALLEST_STAGE1} examples.",
        ),
        (
            (counts["stage2"]["total"] or 0) >= SMALLEST_STAGE2,
            f"Stage 2 has fewer than {SMALLEST_STAGE2} examples.",
        ),
        (all(count == 0 for count in leaks.values()), "The leakage check found something, or did not run."),
        (
            score is not None and score > STAGE2_AIM,
            f"Stage 2's exact match is {terminal.number(score, 1, ' %')}; the aim is above {STAGE2_AIM:g} %.",
        ),
        (
            kept is not None and kept > RETENTION_AIM,
            f"Retention is {terminal.number(kept, 1, ' %')}; the aim is above {RETENTION_AIM:g} %.",
        ),
        (
            found["seconds"]["total"] < 60 * MINUTES_AIM,
            f"It took {terminal.duration(found['seconds']['total'])}; the aim is {MINUTES_AIM} minutes.",
        ),
    ]
    return [sentence for reached, sentence in checks if not reached]


def tell(manifest: Manifest, found: dict[str, Any]) -> None:
    """The tables and the verdict."""
    terminal.say()
    print_sources(manifest)
    print_examples(manifest)
    leaks = found["leaks"]
    terminal.say(
        f"leakage check: {leaks['stage1']} leaks in stage 1, {leaks['stage2']} in stage 2,"
        f" {leaks['across']} between the stages\n"
    )
    print_results(manifest)
    terminal.say()
    base = found["base_model"]
    terminal.say(
        f"base model: {base['parameters']:,} parameters, made from scratch on {base['primer_tokens']:,}"
        f" tokens; loss {base['primer_first_loss']:.2f} to {base['primer_last_loss']:.2f}\n"
    )
    terminal.table(
        ("phase", "took"), [(name, terminal.duration(took)) for name, took in found["seconds"].items()]
    )
    terminal.say()
    for sentence in found["missed"]:
        terminal.say(sentence)
    terminal.say("The proof missed its aim." if found["missed"] else "The proof reached its aim.")


def exit_code(found: dict[str, Any]) -> int:
    """0 where every aim was reached."""
    return FAILED if found["missed"] else OK
