"""The command `evaluate`: a run's models, or one model, answer a file of examples; their scores."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.settings import Settings
from daemon import terminal
from daemon.cli.world import World
from daemon.exit_codes import BUSY, OK
from jobs import base_models
from jobs.children import parent
from jobs.errors import NotFoundError, OperatorError
from jobs.evaluation.answering import MODULE, Answered, Exam, Examinee, sit
from jobs.evaluation.cases import load_cases
from jobs.evaluation.report import RESULTS_NAME, write_results
from jobs.fs import files
from jobs.registry.catalogue import find_model

COLUMNS = ("model", "cases", "exact", "95 %", "normalised", "similarity", "BLEU-4", "parses", "copied", "cut")


@dataclass(frozen=True)
class Candidates:
    """Who is asked: a model's folder, and what is put on it."""

    model: Path
    examinees: tuple[Examinee, ...]

    @property
    def main(self) -> str:
        """The one whose figures stand at the top: the last, which was trained longest."""
        return self.examinees[-1].label


def evaluate(world: World, target: str, data: Path, max_cases: int | None, json: bool) -> int:
    """Have a run's models (base, stage 1, stage 2) or one model answer a JSONL file of examples.

    Interrupted, it goes on where it stopped when it is called again.

    Args:
        world: The settings and what lies where they say.
        target: A run, a certified model, CURRENT, or the folder of any model that mlx-lm can load.
        data: `{"messages": [...]}` rows.
        max_cases: Draw so many; None leaves it to the settings.
        json: Print the figures as JSON.

    Returns:
        The exit code; BUSY where the device is taken.

    Raises:
        NotFoundError: There is no such run or model.
        OperatorError: The file holds no examples, or the run has no adapter yet.
    """
    settings = _with_cases(world.loaded.settings, max_cases)
    if not load_cases(data):
        raise OperatorError(f"{data} holds no examples, so there is nothing to measure.")
    candidates = _candidates(world, target)
    home = _home(world, candidates, data)
    exam = Exam(candidates.model, candidates.examinees, data.absolute(), home / "child" / "answers.jsonl")
    try:
        answered = sit(exam, settings, lambda request: _drive(world, home, request))
    except parent.DeviceBusy as busy:
        terminal.note(f"sectune: the device is taken by {busy.holder}.")
        terminal.note("  Call this again when it is free: sectune status")
        return BUSY
    _show(_results(home, answered, candidates.main), home, json)
    return OK


def _with_cases(settings: Settings, max_cases: int | None) -> Settings:
    if max_cases is None:
        return settings
    evaluation = settings.evaluation.model_copy(update={"max_cases": max_cases})
    return settings.model_copy(update={"evaluation": evaluation})


def _candidates(world: World, target: str) -> Candidates:
    if Path(target).expanduser().is_dir():
        return _one_model(Path(target).expanduser().absolute())
    try:
        return _of_run(world, target)
    except NotFoundError as no_run:
        if "match" in no_run.message:  # several runs: saying that no model is called so would mislead
            raise
    registry = world.loaded.settings.paths.models_dir / "certified"
    try:
        return _one_model(find_model(registry, target))
    except NotFoundError as error:
        raise NotFoundError(
            f"There is no run, no certified model and no folder '{target}'.",
            "List them with: sectune runs, sectune models list",
        ) from error


def _one_model(folder: Path) -> Candidates:
    model = base_models.locate(folder.parent, folder.name)
    return Candidates(model, (Examinee("model", sha256=base_models.digest(model)),))


def _of_run(world: World, target: str) -> Candidates:
    run = world.store.open(target)
    stages = [(number, run.folder.stage(number)) for number in (1, 2)]
    trained = tuple(
        Examinee(f"stage{number}", folder.adapters, files.sha256_file(folder.adapter_file))
        for number, folder in stages
        if folder.adapter_file.is_file()
    )
    if not trained:
        raise OperatorError(
            f"Run {run.run_id} has no adapter yet.", f"See how far it is: sectune runs show {run.run_id}"
        )
    models = world.loaded.settings.paths.models_dir
    base = base_models.locate(models / "base", run.settings().base_model.name)
    return Candidates(base, (Examinee("base"), *trained))


def _home(world: World, candidates: Candidates, data: Path) -> Path:
    """One folder for the same models and the same file, so that a second call finds the first's answers."""
    facts = [str(candidates.model), [each.sha256 for each in candidates.examinees], files.sha256_file(data)]
    return world.files.evaluations / files.sha256_json(facts)[:16]


def _drive(world: World, home: Path, request: Mapping[str, Any]) -> dict[str, Any]:
    task = parent.Task(
        module=MODULE,
        work=home / "child",
        payload=request,
        log=home / "evaluation.log",
        device_lock=world.files.device_lock,
        preload=world.loaded.settings.training.preload_library,
    )
    try:
        return parent.drive(task, _shown, lambda: False)
    except KeyboardInterrupt:
        parent.stop(task.work)  # it has a session of its own, so Ctrl-C does not reach it
        raise
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _shown(facts: dict[str, Any]) -> None:
    """One line that changes, for a person who waits."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{facts['phase']} {terminal.bar(facts['iteration'], facts['iterations'])}")
        sys.stderr.flush()


def _results(home: Path, answered: Answered, main: str) -> dict[str, Any]:
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
