"""`sectune demo`: a real daemon on a throw-away home, watched from the outside like any other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from daemon import terminal
from daemon.demo.scene import Scene
from daemon.exit_codes import FAILED, OK
from jobs.errors import OperatorError
from jobs.runs.manifest import Manifest
from jobs.runs.status import UNFINISHED
from jobs.runs.store import Run, RunStore

PATIENCE_SECONDS = 1800


def run_demo(home: Path | None) -> int:
    """Run the whole demonstration; the exit code says whether it ended well.

    Args:
        home: Where to keep everything; by default a new temporary folder.
    """
    began = time.monotonic()
    scene = Scene((home or Path(tempfile.mkdtemp(prefix="sectune-demo-"))).absolute())
    scene.write_settings()
    terminal.say(f"Everything of this demo is in {scene.home}. To look on from another terminal:")
    terminal.say(f"  export SECTUNE_CONFIG={scene.config}\n  sectune status; sectune runs; sectune logs -f\n")
    with progress_bars() as progress:
        _base_model(scene, progress)
        with running_daemon(scene) as process:
            scene.drop_delivery()
            run = watch(scene, progress, process)
    _report(scene, run.manifest)
    terminal.note(f"\nThe demo took {terminal.duration(time.monotonic() - began)}.")
    return OK if run.manifest.status == "completed" else FAILED


def progress_bars() -> Progress:
    """Bars on stderr: what is done, a bar, facts, the time it took."""
    return Progress(
        TextColumn("{task.description:<12}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[facts]:<44}"),
        TimeElapsedColumn(),
        console=terminal.console(stderr=True),
    )


def _base_model(scene: Scene, progress: Progress) -> None:
    task = progress.add_task("base model", total=None, facts="its own tokenizer, then a look at code")

    def shown(facts: dict[str, Any]) -> None:
        loss = facts.get("train_loss")
        progress.update(
            task,
            completed=facts.get("iteration", 0),
            total=facts.get("iterations"),
            facts=f"loss {loss:.3f}" if loss is not None else "",
        )

    size = scene.build_base_model(shown)
    progress.update(task, total=1, completed=1, facts=f"{size['parameters']:,} parameters")


@contextmanager
def running_daemon(scene: Scene) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon with the scene's settings, ended at the end."""
    environment = {**os.environ, "SECTUNE_CONFIG": str(scene.config)}
    with (scene.home / "daemon.out").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "daemon", "run"], env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def watch(
    scene: Scene, progress: Progress, process: subprocess.Popen[bytes], patience: float = PATIENCE_SECONDS
) -> Run:
    """Draw the scene's one run until it ends.

    Args:
        scene: Whose run it is.
        progress: Gets a bar for each step.
        process: The daemon.
        patience: Seconds to wait at most.

    Raises:
        OperatorError: The daemon ended, or patience did.
    """
    store = RunStore(scene.models_dir)
    bars: dict[str, TaskID] = {
        "delivery": progress.add_task("delivery", total=None, facts="settling in the inbox")
    }
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise OperatorError(f"The daemon ended by itself; see {scene.home / 'daemon.out'}.")
        runs = store.list()[0]
        if runs:
            _draw(progress, bars, runs[0].manifest)
            if runs[0].manifest.status not in UNFINISHED:
                return runs[0]
        time.sleep(0.3)
    raise OperatorError(f"The run did not end within {terminal.duration(patience)}.", f"See {scene.home}.")


def _draw(progress: Progress, bars: dict[str, TaskID], manifest: Manifest) -> None:
    progress.update(bars["delivery"], total=1, completed=1, facts=manifest.run_id)
    for step in manifest.steps:
        if step.status == "pending":
            continue
        if step.name not in bars:
            bars[step.name] = progress.add_task(step.name, total=None, facts="")
        bar = bars[step.name]
        if step.status == "running":
            now = manifest.progress
            facts = [now.phase or "", f"loss {now.train_loss:.3f}" if now.train_loss is not None else ""]
            facts.append(f"{now.tokens_per_second:.0f} tokens/s" if now.tokens_per_second else "")
            progress.update(
                bar, completed=now.iteration or 0, total=now.iterations, facts="  ".join(filter(None, facts))
            )
        else:
            progress.update(bar, total=1, completed=1, facts=step.reason or step.status)
            progress.stop_task(bar)


def _report(scene: Scene, manifest: Manifest) -> None:
    terminal.say()
    _table_of_reports(manifest)
    table_of_sources(manifest)
    table_of_examples(manifest)
    table_of_results(manifest)
    if manifest.status != "completed":
        ended = terminal.styled(f"The run ended as {manifest.status}", "red")
        terminal.say("\n", ended, f": {manifest.status_reason}")
        return
    model = scene.models_dir / "certified" / "CURRENT"
    generate = Path(sys.executable).with_name("mlx_lm.generate")
    terminal.say(
        f"\nThe certified model: {model} -> {manifest.certified.name if manifest.certified else '-'}"
    )
    terminal.say("Talk to it (it is tiny, and talks accordingly):")
    terminal.say(f"  {generate} --model {model} --max-tokens 60 --prompt 'Fix: requests==2.19.0'")


def _table_of_reports(manifest: Manifest) -> None:
    rows = [(item.name, item.verdict, item.tool, item.findings) for item in manifest.inputs]
    terminal.table(("report", "verdict", "tool", "findings"), rows)
    terminal.say()


def table_of_sources(manifest: Manifest) -> None:
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


def table_of_examples(manifest: Manifest) -> None:
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


def table_of_results(manifest: Manifest) -> None:
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
    shown = [(name, *(terminal.number(value, 1, " %") for value in values)) for name, *values in rows]
    terminal.table(("", "base", "stage 1", "stage 2"), shown)
    terminal.say(f"retention of stage 1 after stage 2: {terminal.number(scores.retention_rate, 1, ' %')}")
