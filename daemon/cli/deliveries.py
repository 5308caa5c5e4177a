"""Commands about what was delivered: submit, inbox, parse."""

from __future__ import annotations

import uuid
from pathlib import Path

from daemon.cli import screen
from daemon.cli.world import FAILED, OK, World
from daemon.intake import Desk, Intake
from daemon.watcher import candidates
from jobs.errors import NotFoundError
from jobs.findings.limits import limits_of
from jobs.findings.parse import parse_paths


def submit(world: World, paths: list[Path], force: bool, json: bool) -> int:
    """Make one delivery of the named files; returns the exit code."""
    desk = Desk(world.loaded.settings, world.ledger, world.store, world.state / "staging", world.queue.ring)
    intake = Intake(desk)
    delivery = uuid.uuid4().hex
    for path, root in _files(paths):
        intake.receive(path, root, delivery, force)
    run = intake.make_run(delivery)
    entries = world.ledger.of_delivery(delivery)
    if json:
        screen.emit_json(
            {"run_id": run.run_id if run else None, "files": [entry.to_json() for entry in entries]}
        )
    else:
        for entry in entries:
            screen.say(f"{entry.state:10} {Path(entry.path).name}: {entry.reason}")
    if run is None:
        screen.note("Nothing new to train on in this delivery; --force takes what was seen before.")
        return FAILED
    if world.daemon() is None:
        screen.note("The daemon is not running; the run waits until you start it: sectune run")
    return OK


def _files(paths: list[Path]) -> list[tuple[Path, Path]]:
    found = []
    for path in (path.absolute() for path in paths):
        if path.is_dir():
            found += [(file, path.parent) for file, _ in candidates(path)]
        elif path.is_file():
            found.append((path, path.parent))
        else:
            raise NotFoundError(f"There is no file {path}.")
    return found


def inbox(world: World, limit: int, json: bool) -> None:
    """Every file's state and reason."""
    entries = world.ledger.entries(limit=limit)
    if json:
        screen.emit_json({"files": [entry.to_json() for entry in entries]})
        return
    if not entries:
        screen.note(f"Nothing was seen yet. Drop reports into {world.loaded.settings.paths.inbox}")
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
    screen.table(("when (UTC)", "state", "file", "reason"), rows)


def parse(world: World, paths: list[Path], json: bool) -> None:
    """Verdicts and findings of some files."""
    parsed = parse_paths(paths, limits_of(world.loaded.settings))
    if json:
        screen.emit_json(parsed.to_json())
        return
    screen.table(
        ("file", "verdict", "tool", "format", "findings", "reason"),
        [
            (
                report.path,
                report.verdict,
                report.tool,
                report.format,
                report.raw_findings,
                report.reason or "",
            )
            for report in parsed.files
        ],
    )
    raw = sum(report.raw_findings for report in parsed.files)
    screen.say(f"\n{len(parsed.files)} files, {raw} findings, {len(parsed.findings)} of them distinct")
