"""Commands about what was delivered: submit, inbox, parse."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from daemon import terminal
from daemon.cli.world import World
from daemon.exit_codes import FAILED, OK
from daemon.inbox.candidates import candidates
from daemon.inbox.file_state import FileState
from daemon.inbox.intake import Intake, IntakeDependencies
from daemon.log import silence
from jobs.errors import NotFoundError
from jobs.findings.files.limits import limits_of
from jobs.findings.parse import parse_paths


@dataclass(frozen=True)
class Wish:
    """What one submitted delivery is to be done with, other than the settings say.

    Args:
        force: Take files and findings that were seen before.
        fresh_stage1: Train stage 1 even if an earlier run's would come out the same.
        priority: Of its run; higher goes first.
    """

    force: bool = False
    fresh_stage1: bool = False
    priority: int = 0

    def settings(self, settings: Settings) -> Settings:
        """The settings that the run keeps as its own."""
        if not self.fresh_stage1:
            return settings
        training = settings.training.model_copy(update={"reuse_stage1": False})
        return settings.model_copy(update={"training": training})


def submit(world: World, paths: list[Path], wish: Wish, json: bool) -> int:
    """Make one delivery of the named files; returns the exit code."""
    silence()
    found = _files(paths)
    settings = wish.settings(world.loaded.settings)
    ledger = world.ledger
    intake = Intake(IntakeDependencies(settings, ledger, world.store, world.files, world.queue.ring))
    delivery = uuid.uuid4().hex
    with intake.alone():
        for path, root in found:
            intake.receive(path, root, delivery, wish.force)
        if wish.priority:
            ledger.priorities.set(delivery, wish.priority)
        run = intake.make_run(delivery)
    entries = ledger.of_delivery(delivery)
    if json:
        terminal.emit_json(
            {"run_id": run.run_id if run else None, "files": [entry.to_json() for entry in entries]}
        )
    else:
        for entry in entries:
            terminal.say(f"{entry.state:10} {Path(entry.path).name}: {entry.reason}")
    if run is None:
        states = {entry.state for entry in entries}
        terminal.note(_why_no_run(states))
        if wish.fresh_stage1 and FileState.ACCEPTED in states:
            terminal.note(  # the daemon makes that run with its own settings
                "It will not remember --fresh-stage1: set training.reuse_stage1 to false until then."
            )
        return FAILED
    terminal.note(f"Follow it with: sectune logs {run.run_id} -f")
    if world.daemon() is None:
        terminal.note("The daemon is not running; the run waits until you start it: sectune run")
    return OK


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


def _files(paths: list[Path]) -> list[tuple[Path, Path]]:
    found = []
    for given in paths:
        # A link that is named by a person is meant to be followed; one inside a folder is not.
        path = given.resolve() if given.is_symlink() else given.absolute()
        if path.is_dir():
            found += [(file, path.parent) for file in _complete_files(path)]
        elif path.exists():
            found.append((path, path.parent))
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


def inbox(world: World, limit: int, json: bool) -> None:
    """Every file's state and reason."""
    ledger = world.seen
    entries = ledger.entries(limit=limit) if ledger else []
    if json:
        terminal.emit_json({"files": [entry.to_json() for entry in entries]})
        return
    if not entries:
        terminal.note(f"Nothing was seen yet. Drop reports into {world.loaded.settings.paths.inbox}")
        return
    rows: list[tuple[str, ...]] = []
    for entry in entries:
        rows.append(
            (entry.updated_at[:19].replace("T", " "), entry.state, Path(entry.path).name, entry.reason)
        )
        if len(entry.members) > 1:
            rows += [
                ("", str(member["verdict"]), f"  {member['path'].split('!', 1)[-1]}", str(member["reason"]))
                for member in entry.members
                if member["verdict"] == "refused"
            ]
    terminal.table(("when (UTC)", "state", "file", "reason"), rows)


def parse(world: World, paths: list[Path], source: Path | None, json: bool) -> None:
    """Verdicts and findings of some files."""
    settings = world.loaded.settings
    parsed = parse_paths(paths, limits_of(settings), source=source or settings.findings.source)
    if json:
        terminal.emit_json(parsed.to_json())
        return
    terminal.table(
        ("file", "verdict", "tool", "format", "findings", "reason"),
        [
            (
                report.path,
                report.verdict,
                report.tool,
                report.format,
                report.raw_findings,
                report.reason or "; ".join(report.warnings),
            )
            for report in parsed.files
        ],
    )
    raw = sum(report.raw_findings for report in parsed.files)
    terminal.say(f"\n{len(parsed.files)} files, {raw} findings, {len(parsed.findings)} of them distinct")
    if found := parsed.context:
        terminal.note(
            f"{found.found} of {found.places} places were found in the checkout, {found.missing} were not, "
            f"{found.different} hold other code"
        )
