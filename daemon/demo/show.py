"""`sectune demo`: a real daemon on a throw-away home, watched from the outside like any other."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.progress import Progress

from daemon import terminal
from daemon.demo.scene import Scene
from daemon.exit_codes import FAILED, OK
from daemon.presentation.tables import print_examples, print_results, print_sources
from daemon.presentation.watch import progress_bars, running_daemon, watch_run
from jobs.runs.manifest import Manifest

LONGEST_SECONDS = 1800


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
            run = watch_run(scene, progress, process, LONGEST_SECONDS)
    _report(scene, run.manifest)
    terminal.note(f"\nThe demo took {terminal.duration(time.monotonic() - began)}.")
    return OK if run.manifest.status == "completed" else FAILED


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


def _report(scene: Scene, manifest: Manifest) -> None:
    terminal.say()
    _print_reports(manifest)
    print_sources(manifest)
    print_examples(manifest)
    print_results(manifest)
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


def _print_reports(manifest: Manifest) -> None:
    rows = [(item.name, item.verdict, item.tool, item.findings) for item in manifest.inputs]
    terminal.table(("report", "verdict", "tool", "findings"), rows)
    terminal.say()
