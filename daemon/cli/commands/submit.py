"""`sectune submit`: one delivery of named files, made at once."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from config.settings import Settings
from daemon import terminal
from daemon.cli.arguments import PRIORITY, Json, parse_priority
from daemon.cli.context import CliContext, context_of
from daemon.exit_codes import FAILED
from daemon.inbox.candidates import candidates
from daemon.inbox.entry import Entry
from daemon.inbox.file_state import FileState
from daemon.inbox.intake import Intake, IntakeDependencies
from daemon.log import silence
from jobs.errors import NotFoundError
from jobs.runs.store import Run

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Submission:
    """One delivery that a person makes.

    Args:
        files: Each with the folder that its name is relative to.
        force: Take files and findings that were seen before.
        fresh_stage1: Train stage 1 even if an earlier run's would come out the same.
        priority: Of its run; higher goes first.
    """

    files: dict[Path, Path]
    force: bool
    fresh_stage1: bool
    priority: int

    def settings(self, settings: Settings) -> Settings:
        """The settings that the run keeps as its own."""
        if not self.fresh_stage1:
            return settings
        training = settings.training.model_copy(update={"reuse_stage1": False})
        return settings.model_copy(update={"training": training})


@app.command()
def submit(  # noqa: PLR0913 - typer makes an option of each argument
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Reports, folders or archives.")],
    force: Annotated[bool, typer.Option(help="Train even if this was seen before.")] = False,
    fresh_stage1: Annotated[
        bool, typer.Option("--fresh-stage1", help="Train stage 1 anew, even if an earlier run's would do.")
    ] = False,
    priority: Annotated[
        int, typer.Option(parser=parse_priority, metavar=PRIORITY, help="Which run goes first; 0 is normal.")
    ] = 0,
    json: Json = False,
) -> None:
    """Make one delivery of these files, at once and without the inbox."""
    silence()
    cli = context_of(context)
    settings = cli.settings  # before anything is looked at: what is wrong with them is told first
    submission = Submission(_find_files(paths), force, fresh_stage1, priority)
    run, entries = _deliver(cli, submission.settings(settings), submission)
    if json:
        told = [entry.to_json() for entry in entries]
        terminal.emit_json({"run_id": run.run_id if run else None, "files": told})
    else:
        for entry in entries:
            terminal.say(f"{entry.state:10} {Path(entry.path).name}: {entry.reason}")
    if run is None:
        _note_no_run({entry.state for entry in entries}, fresh_stage1)
        raise typer.Exit(FAILED)
    terminal.note(f"Follow it with: sectune logs {run.run_id} -f")
    if cli.running_daemon() is None:
        terminal.note("The daemon is not running; the run waits until you start it: sectune run")


def _deliver(cli: CliContext, settings: Settings, submission: Submission) -> tuple[Run | None, list[Entry]]:
    ledger = cli.ledger
    intake = Intake(IntakeDependencies(settings, ledger, cli.store, cli.files, cli.queue.enqueue))
    delivery = uuid.uuid4().hex
    with intake.alone():
        for path, root in submission.files.items():
            intake.receive(path, root, delivery, submission.force)
        if submission.priority:
            ledger.priorities.set(delivery, submission.priority)
        run = intake.make_run(delivery)
    return run, ledger.of_delivery(delivery)


def _note_no_run(states: set[FileState], fresh_stage1: bool) -> None:
    terminal.note(_why_no_run(states))
    if fresh_stage1 and FileState.ACCEPTED in states:  # the daemon makes that run with its own settings
        terminal.note("It will not remember --fresh-stage1: set training.reuse_stage1 to false until then.")


def _why_no_run(states: set[FileState]) -> str:
    if FileState.ACCEPTED in states:
        return "No run was made yet; the daemon makes it once that is mended. Nothing is lost."
    if FileState.FAILED in states:
        return "No run was made: not everything could be read."
    if FileState.DUPLICATE in states:
        return "No run was made: nothing in it is new. To train on it again: sectune submit --force"
    if not states:
        return "No run was made: there is no file in it."
    return "No run was made: there is no report with findings in it."


def _find_files(paths: Sequence[Path]) -> dict[Path, Path]:
    """Each file once, however often it is named: a second look would find it to be its own duplicate."""
    found: dict[Path, Path] = {}
    for given in paths:
        # A link that is named by a person is meant to be followed; one inside a folder is not.
        path = given.resolve() if given.is_symlink() else given.absolute()
        if path.is_dir():
            for file in _complete_files(path):
                found.setdefault(file, path.parent)
        elif path.exists():
            found.setdefault(path, path.parent)
        else:
            raise NotFoundError(f"There is no file {given}.")
    return found


def _complete_files(folder: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise error

    files = []
    for path, waits_for in candidates(folder, refuse):
        if waits_for is None:
            files.append(path)
        else:
            terminal.note(f"left out: {path} waits for {waits_for}")
    return files
