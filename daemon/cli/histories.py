"""Commands about runs and certified models: list, show, validate, verify."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from daemon import terminal
from daemon.cli.world import World
from daemon.exit_codes import FAILED, OK
from jobs.fs import files
from jobs.reporting.charts import sparkline
from jobs.runs.manifest import Manifest, seconds_between
from jobs.runs.validation import Check, check_adapters, check_full_model, check_training_data

if TYPE_CHECKING:
    from jobs.runs.store import Run


def list_runs(world: World, json: bool) -> None:
    """Every run with its scores."""
    runs, unreadable = world.store.list()
    if json:
        terminal.emit_json({"runs": [run.manifest.model_dump(mode="json") for run in runs]})
    elif runs:
        terminal.table(("run", "status", "step", "stage 1", "stage 2", "retention", "took"), map(_row, runs))
    else:
        terminal.note("There is no run yet.")
    for item in unreadable:
        terminal.note(f"unreadable run: {item.reason}")


def _row(run: Run) -> tuple[str, ...]:
    manifest = run.manifest
    step = manifest.next_step()
    scores = manifest.validation
    return (
        run.run_id,
        manifest.status,
        step.name if step else "-",
        terminal.number(scores.stage1_score, 1, " %"),
        terminal.number(scores.stage2_score, 1, " %"),
        terminal.number(scores.retention_rate, 1, " %"),
        terminal.duration(manifest.total_duration_seconds),
    )


def show_run(world: World, run_id: str, json: bool) -> None:
    """All about one run."""
    run = world.store.open(run_id)
    manifest = run.manifest
    if json:
        terminal.emit_json(manifest.model_dump(mode="json"))
        return
    terminal.say(
        f"{run.run_id}  ", terminal.styled(manifest.status, terminal.STYLES.get(manifest.status, "bold"))
    )
    terminal.say(f"{run.folder.root}\nbase model {manifest.base_model}")
    if manifest.priority:
        terminal.say(f"priority {manifest.priority}")
    if manifest.status_reason:
        terminal.say(f"reason: {manifest.status_reason}")
    if manifest.status in ("failed", "needs_attention"):
        terminal.say(f"what led to it: sectune logs {run.run_id}")
        terminal.say(f"once that is mended: sectune runs retry {run.run_id}")
    _show_inputs(manifest)
    _show_steps(manifest)
    _show_stages(run)
    _show_scores(manifest)


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
    rows = [
        (
            "stage 1 test part",
            *_percent(scores.base_score_stage1, scores.stage1_score, scores.stage2_score_on_stage1),
        ),
        (
            "stage 2 test part",
            *_percent(scores.base_score_stage2, scores.stage1_score_on_stage2, scores.stage2_score),
        ),
    ]
    terminal.say()
    terminal.table(("exact match", "base", "stage 1", "stage 2"), rows)
    terminal.say(f"retention {terminal.number(scores.retention_rate, 1, ' %')}")
    if manifest.certified:
        state = "in use (CURRENT)" if manifest.certified.activated else "not activated"
        terminal.say(f"certified as {manifest.certified.name}, {state}")


def _percent(*values: float | None) -> list[str]:
    return [terminal.number(value, 1, " %") for value in values]


def validate_run(world: World, run_id: str, json: bool) -> int:
    """Check what a run's manifest promises; exit code 1 if something is amiss."""
    run = world.store.open(run_id)
    checks = [*_outputs(run), *_folders(run)]
    if json:
        terminal.emit_json({"run_id": run.run_id, "checks": [check.to_json() for check in checks]})
    else:
        bad = [check for check in checks if not check.passed]
        for check in bad:
            terminal.say(terminal.styled("FAIL", "red"), f" {check.name}: {check.detail}")
        terminal.say(f"{len(checks)} checks, {len(bad)} failed")
    return OK if all(check.passed for check in checks) else FAILED


def _outputs(run: Run) -> list[Check]:
    checks = []
    for step in run.manifest.steps:
        for output in step.outputs:
            path = run.folder.root / output.path
            same = path.is_file() and files.sha256_file(path) == output.sha256
            checks.append(
                Check(f"{step.name} {output.path}", same, "as recorded" if same else "missing or changed")
            )
    return checks


def _folders(run: Run) -> list[Check]:
    checks: list[Check] = []
    for number in (1, 2):
        if run.manifest.step(f"train_{number}").status == "succeeded":
            folder = run.folder.stage(number)
            checks += check_adapters(folder.adapters, {}) + check_training_data(folder.training_data)
    if run.manifest.step("fuse").status == "succeeded":
        checks += check_full_model(run.folder.final_model)
    return checks


def list_models(world: World, json: bool) -> None:
    """The certified models."""
    from jobs.registry.catalogue import list_models as listed

    models = listed(world.loaded.settings.paths.models_dir / "certified")
    if json:
        terminal.emit_json({"models": [asdict(model) for model in models]})
        return
    if not models:
        terminal.note("There is no certified model yet.")
        return
    rows = [
        (
            "*" if model.current else "",
            model.name,
            (model.created or "")[:19].replace("T", " "),
            model.base_model,
            *_percent(
                model.stage1_exact_match_percentage, model.stage2_exact_match_percentage, model.retention_rate
            ),
        )
        for model in models
    ]
    terminal.table(("", "model", "created (UTC)", "base model", "stage 1", "stage 2", "retention"), rows)
    for model in models:
        if model.problem:
            terminal.note(f"{model.name}: {model.problem}")


def verify_model(world: World, name: str, json: bool) -> int:
    """Compute name and hashes again; exit code 1 if they differ."""
    from jobs.registry.catalogue import find_model
    from jobs.registry.verify import verify

    entry = find_model(world.loaded.settings.paths.models_dir / "certified", name)
    problems = verify(entry)
    if json:
        terminal.emit_json({"model": entry.name, "problems": list(problems)})
        return FAILED if problems else OK
    for problem in problems:
        terminal.say(terminal.styled("FAIL", "red"), f" {problem}")
    if not problems:
        terminal.say(f"{entry.name}: name and every file are as certified")
    return FAILED if problems else OK
