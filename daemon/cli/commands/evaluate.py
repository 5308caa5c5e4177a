"""`sectune evaluate`: a run's models (base, stage 1, stage 2) or one model answer a file of examples."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from config.settings import Settings
from daemon import terminal
from daemon.cli.arguments import Json
from daemon.cli.context import CliContext, context_of
from daemon.exit_codes import BUSY
from jobs import base_models
from jobs.children import parent
from jobs.children.task import DeviceBusy, Task
from jobs.errors import NotFoundError, OperatorError
from jobs.evaluation.answering import (
    MODULE,
    EvaluationAnswers,
    EvaluationRequest,
    run_evaluation,
)
from jobs.evaluation.cases import load_cases
from jobs.evaluation.report import RESULTS_NAME, write_results
from jobs.fs import files
from jobs.mlx.requests import AnsweringModel, AnsweringRequest
from jobs.registry.catalogue import find_model

COLUMNS = ("model", "cases", "exact", "95 %", "normalised", "similarity", "BLEU-4", "parses", "copied", "cut")
app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Candidates:
    """Who is asked: a model's folder, and what is put on it."""

    model: Path
    models: tuple[AnsweringModel, ...]

    @property
    def main(self) -> str:
        """The one whose figures stand at the top: the last, which was trained longest."""
        return self.models[-1].label


@app.command()
def evaluate(
    context: typer.Context,
    target: Annotated[
        str,
        typer.Argument(metavar="RUN|MODEL", help="A run, a certified model, CURRENT or a model's folder."),
    ],
    data: Annotated[Path, typer.Option(help="JSONL rows with messages.", exists=True, dir_okay=False)],
    max_cases: Annotated[
        int | None, typer.Option(help="Draw so many cases; the interval says what that costs.", min=1)
    ] = None,
    json: Json = False,
) -> None:
    """Measure models on a file of examples; interrupted, the same call goes on where it stopped."""
    cli = context_of(context)
    settings = _with_cases(cli.settings, max_cases)
    if not load_cases(data):
        raise OperatorError(f"{data} holds no examples, so there is nothing to measure.")
    candidates = _candidates(cli, target)
    home = _home(cli, candidates, data)
    asked = EvaluationRequest(
        candidates.model, candidates.models, data.absolute(), home / "child" / "answers.jsonl"
    )
    try:
        answered = run_evaluation(asked, settings, lambda request: _drive(cli, home, request))
    except DeviceBusy as busy:
        terminal.note(f"sectune: the device is taken by {busy.holder}.")
        terminal.note("  Call this again when it is free: sectune status")
        raise typer.Exit(BUSY) from None
    _show(_results(home, answered, candidates.main), home, json)


def _with_cases(settings: Settings, max_cases: int | None) -> Settings:
    if max_cases is None:
        return settings
    evaluation = settings.evaluation.model_copy(update={"max_cases": max_cases})
    return settings.model_copy(update={"evaluation": evaluation})


def _candidates(cli: CliContext, target: str) -> Candidates:
    if Path(target).expanduser().is_dir():
        return _one_model(Path(target).expanduser().absolute())
    try:
        return _of_run(cli, target)
    except NotFoundError as no_run:
        if "match" in no_run.message:  # several runs: saying that no model is called so would mislead
            raise
    registry = cli.settings.paths.models_dir / "certified"
    try:
        return _one_model(find_model(registry, target))
    except NotFoundError as error:
        raise NotFoundError(
            f"There is no run, no certified model and no folder '{target}'.",
            "List them with: sectune runs, sectune models list",
        ) from error


def _one_model(folder: Path) -> Candidates:
    model = base_models.locate(folder.parent, folder.name)
    return Candidates(model, (AnsweringModel(label="model", sha256=base_models.digest(model)),))


def _of_run(cli: CliContext, target: str) -> Candidates:
    run = cli.store.open(target)
    stages = [(number, run.folder.stage(number)) for number in (1, 2)]
    trained = tuple(
        AnsweringModel(
            label=f"stage{number}",
            adapters=folder.adapters,
            sha256=files.sha256_file(folder.adapter_file),
        )
        for number, folder in stages
        if folder.adapter_file.is_file()
    )
    if not trained:
        raise OperatorError(
            f"Run {run.run_id} has no adapter yet.", f"See how far it is: sectune runs show {run.run_id}"
        )
    models = cli.settings.paths.models_dir
    base = base_models.locate(models / "base", run.settings().base_model.name)
    return Candidates(base, (AnsweringModel(label="base"), *trained))


def _home(cli: CliContext, candidates: Candidates, data: Path) -> Path:
    """One folder for the same models and the same file, so that a second call finds the first's answers."""
    facts = [str(candidates.model), [each.sha256 for each in candidates.models], files.sha256_file(data)]
    return cli.files.evaluations / files.sha256_json(facts)[:16]


def _drive(cli: CliContext, home: Path, request: AnsweringRequest) -> dict[str, Any]:
    task = Task(
        module=MODULE,
        work=home / "child",
        payload=request,
        log=home / "evaluation.log",
        device_lock=cli.files.device_lock,
        preload=cli.settings.training.preload_library,
    )
    try:
        return parent.drive(task, _show_progress, lambda: False)
    except KeyboardInterrupt:
        parent.stop(task.work)  # it has a session of its own, so Ctrl-C does not reach it
        raise
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _show_progress(facts: dict[str, Any]) -> None:
    """One line that changes, for a person who waits."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{facts['phase']} {terminal.bar(facts['iteration'], facts['iterations'])}")
        sys.stderr.flush()


def _results(home: Path, answered: EvaluationAnswers, main: str) -> dict[str, Any]:
    return write_results(home / "evaluation", answered.cases, answered.answers, main, answered.sample)


def _show(results: dict[str, Any], home: Path, json: bool) -> None:
    path = home / "evaluation" / RESULTS_NAME
    if json:
        shown = {key: value for key, value in results.items() if key != "detailed_results"}
        terminal.emit_json({**shown, "results": str(path)})
        return
    terminal.table(COLUMNS, [_row(label, figures) for label, figures in results["models"].items()])
    if sample := results["sample"]:
        terminal.note(f"{sample['cases']} of {sample['all_cases']} cases, drawn with seed {sample['seed']}")
    terminal.note(f"Each case and its answers: {path.parent}")


def _row(label: str, figures: dict[str, Any]) -> tuple[str, ...]:
    interval = figures["exact_match_interval_95"]
    return (
        label,
        str(figures["total_examples"]),
        terminal.number(figures["exact_match_percentage"], 1, " %"),
        f"{interval[0]:.1f} to {interval[1]:.1f}" if interval else "-",
        terminal.number(figures["normalised_match_percentage"], 1, " %"),
        terminal.number(figures["avg_edit_similarity"]),
        terminal.number(figures["avg_bleu4"]),
        terminal.number(figures["parses_percentage"], 1, " %"),
        terminal.number(figures["copied_percentage"], 1, " %"),
        terminal.number(figures["truncated_percentage"], 1, " %"),
    )
