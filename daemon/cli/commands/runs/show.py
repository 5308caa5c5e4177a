"""`sectune runs show`."""

from __future__ import annotations

import typer

from daemon import terminal
from daemon.cli.arguments import Json, RunId
from daemon.cli.context import context_of
from jobs.fs import files
from jobs.reporting.charts import sparkline
from jobs.runs.manifest import Manifest, seconds_between
from jobs.runs.status import RunStatus
from jobs.runs.store import Run

app = typer.Typer(add_completion=False)


@app.command()
def show(context: typer.Context, run_id: RunId, json: Json = False) -> None:
    """All about one run."""
    run = context_of(context).store.open(run_id)
    if json:
        terminal.emit_json(run.manifest.model_dump(mode="json"))
        return
    _show_head(run)
    _show_inputs(run.manifest)
    _show_steps(run.manifest)
    _show_stages(run)
    _show_scores(run.manifest)


def _show_head(run: Run) -> None:
    manifest = run.manifest
    terminal.say(
        f"{run.run_id}  ", terminal.styled(manifest.status, terminal.STYLES.get(manifest.status, "bold"))
    )
    terminal.say(f"{run.folder.root}\nbase model {manifest.base_model}")
    if manifest.priority:
        terminal.say(f"priority {manifest.priority}")
    if manifest.status_reason:
        terminal.say(f"reason: {manifest.status_reason}")
    if manifest.status in (RunStatus.FAILED, RunStatus.NEEDS_ATTENTION):
        terminal.say(f"what led to it: sectune logs {run.run_id}")
        terminal.say(f"once that is mended: sectune runs retry {run.run_id}")


def _show_inputs(manifest: Manifest) -> None:
    rows = [
        (item.name, item.verdict, item.tool, item.findings, item.reason or "") for item in manifest.inputs
    ]
    terminal.say()
    terminal.table(("report", "verdict", "tool", "findings", "reason"), rows)


def _show_steps(manifest: Manifest) -> None:
    rows = []
    for step in manifest.steps:
        took = seconds_between(step.started_at, step.ended_at) if step.started_at and step.ended_at else None
        remark = f"{step.error.message} {step.error.remedy}".strip() if step.error else step.reason or ""
        rows.append((step.name, step.status, step.attempts or "", terminal.duration(took), remark))
    terminal.say()
    terminal.table(("step", "status", "begun", "took", "remark"), rows)
    progress = manifest.progress
    step_now = manifest.next_step()
    if step_now and progress.iterations and (progress.step, step_now.status) == (step_now.name, "running"):
        terminal.say(
            f"{progress.step}: {terminal.bar(progress.iteration, progress.iterations)} "
            f"{progress.iteration}/{progress.iterations}, {terminal.duration(progress.eta_seconds)} left"
        )


def _show_stages(run: Run) -> None:
    manifest = run.manifest
    rows = []
    for number in (1, 2):
        stage = manifest.stage(number)
        measured = stage.training_params.get("measured", {})
        rows.append(
            (
                f"stage {number}",
                stage.dataset_stats.get("train_examples"),
                stage.dataset_stats.get("validation_examples"),
                stage.dataset_stats.get("test_examples"),
                stage.training_params.get("iters"),
                terminal.number(measured.get("first_train_loss")),
                terminal.number(measured.get("final_train_loss")),
                terminal.number(measured.get("final_valid_loss")),
            )
        )
    terminal.say()
    terminal.table(
        ("", "train", "valid", "test", "iterations", "first loss", "last loss", "valid loss"), rows
    )
    for number in (1, 2):
        _show_curve(run, number)


def _show_curve(run: Run, number: int) -> None:
    metrics = run.folder.stage(number).metrics
    rows = list(files.read_jsonl(metrics)) if metrics.exists() else []
    curve = sparkline([row["train_loss"] for row in rows if row.get("train_loss") is not None])
    origin = run.manifest.stage(number).reused_from
    if curve:
        terminal.say(f"loss of stage {number}  {curve}" + (f"  (taken over from {origin})" if origin else ""))


def _show_scores(manifest: Manifest) -> None:
    scores = manifest.validation
    tested = {
        "stage 1 test part": (scores.base_score_stage1, scores.stage1_score, scores.stage2_score_on_stage1),
        "stage 2 test part": (scores.base_score_stage2, scores.stage1_score_on_stage2, scores.stage2_score),
    }
    rows = [(part, *map(terminal.percent, values)) for part, values in tested.items()]
    terminal.say()
    terminal.table(("exact match", "base", "stage 1", "stage 2"), rows)
    terminal.say(f"retention {terminal.percent(scores.retention_rate)}")
    if manifest.certified:
        state = "in use (CURRENT)" if manifest.certified.activated else "not activated"
        terminal.say(f"certified as {manifest.certified.name}, {state}")
