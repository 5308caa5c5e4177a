"""States are types: one writer, no illegal move, and no decision that hangs on words."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest

from jobs import tasks
from jobs.host import Host
from jobs.pipeline import priority, transitions
from jobs.runs import status as states
from jobs.runs.manifest import Manifest, StepError
from jobs.runs.status import PowerReason, Remedy, RunStatus, StageStatus, StepStatus
from jobs.runs.store import Run, RunStore
from jobs.runs.waiting import (
    WaitingFor,
    WaitingForDevice,
    WaitingForDisk,
    WaitingForEarlierRun,
    WaitingForNetwork,
    WaitingForPerson,
    WaitingForPower,
)

ROOT = Path(transitions.__file__).parents[2]
WAITS: tuple[WaitingFor, ...] = (
    WaitingForDevice("pid 7 other train_1"),
    WaitingForDisk(what="fuse", folder="/models", missing_bytes=3, free_bytes=1, needed_bytes=4),
    WaitingForDisk(error="No space left on device"),
    WaitingForNetwork("upload", "no answer"),
    WaitingForPower(PowerReason.QUIET_HOURS, "07:00"),
    WaitingForPower(PowerReason.BATTERY),
    WaitingForPerson("this", Remedy.RESUME),
    WaitingForEarlierRun("another"),
)
ERROR = StepError(kind="operator", message="odd")
# What each move is allowed from; written down here once more, on purpose.
UNFINISHED = {"queued", "in_progress", "waiting"}
MOVES: dict[str, tuple[Callable[[Run], None], set[str]]] = {
    "begin": (lambda run: transitions.begin(run, run.manifest.steps[0]), UNFINISHED),
    "wait": (lambda run: transitions.wait(run, run.manifest.steps[0], WAITS[0]), UNFINISHED),
    "complete": (transitions.complete, UNFINISHED),
    "pause": (transitions.pause, UNFINISHED),
    "cancel": (transitions.cancel, UNFINISHED | {"paused", "failed", "needs_attention"}),
    "requeue": (
        lambda run: transitions.requeue(run, "retry"),
        {"paused", "completed", "failed", "cancelled", "needs_attention"},
    ),
}


@pytest.fixture
def run(make_run: Callable[..., Run]) -> Run:
    return make_run()


@pytest.mark.parametrize(("move", "before"), list(product(MOVES, RunStatus)))
def test_a_run_moves_where_it_may_and_an_illegal_move_raises_and_writes_nothing(
    run: Run, move: str, before: RunStatus
) -> None:
    make, legal = MOVES[move]
    run.manifest.status = before
    run.save()
    on_disk = run.folder.manifest.read_bytes()
    if before in legal:
        make(run)
        assert run.folder.manifest.read_bytes() != on_disk
        return
    with pytest.raises(transitions.IllegalTransition, match=f"from <RunStatus.{before.name}"):
        make(run)
    assert run.folder.manifest.read_bytes() == on_disk


@pytest.mark.parametrize("before", StepStatus)
def test_only_a_running_step_ends(run: Run, before: StepStatus) -> None:
    ends: tuple[Callable[..., None], ...] = (
        lambda step: transitions.succeed(run, step, []),
        lambda step: transitions.skip(run, step, "nothing to do"),
        lambda step: transitions.give_up(run, step, ERROR, RunStatus.NEEDS_ATTENTION),
    )
    for end in ends:
        step = run.manifest.step("fuse")
        step.status = before
        run.manifest.status = RunStatus.IN_PROGRESS
        if before is StepStatus.RUNNING:
            end(step)
            assert step.status in ("succeeded", "skipped", "failed")
        else:
            with pytest.raises(transitions.IllegalTransition):
                end(step)
            assert step.status is before


@pytest.mark.parametrize("before", StepStatus)
def test_a_step_begins_if_it_is_pending_or_its_daemon_died(run: Run, before: StepStatus) -> None:
    step = run.manifest.step("fuse")
    step.status = before
    if before in (StepStatus.PENDING, StepStatus.RUNNING):
        transitions.begin(run, step)
        assert step.status is StepStatus.RUNNING
    else:
        with pytest.raises(transitions.IllegalTransition):
            transitions.begin(run, step)
        assert (step.status, step.attempts) == (before, 0)


@pytest.mark.parametrize("before", StageStatus)
def test_a_stage_that_has_ended_does_not_begin_without_being_reset(run: Run, before: StageStatus) -> None:
    run.manifest.stage1.status = before
    step = run.manifest.step("train_1")
    if before in (StageStatus.PENDING, StageStatus.RUNNING):
        transitions.begin(run, step)
        assert run.manifest.stage1.status is StageStatus.RUNNING
    else:
        with pytest.raises(transitions.IllegalTransition):
            transitions.begin(run, step)
        transitions.reset(run, ["train_1"])
        assert run.manifest.stage1.status is StageStatus.PENDING
        assert run.manifest.step("train_1").status is StepStatus.PENDING


def test_what_is_no_longer_true_is_no_longer_said(run: Run) -> None:
    step = run.manifest.steps[0]
    transitions.begin(run, step)
    transitions.put_off(run, step, WAITS[0])
    assert (run.manifest.status_reason, run.manifest.waiting_for) == (str(WAITS[0]), WAITS[0])
    assert (step.status, step.attempts) == ("pending", 0)
    transitions.begin(run, step)
    assert (run.manifest.status_reason, run.manifest.waiting_for) == (None, None)
    transitions.give_up(run, step, ERROR, RunStatus.NEEDS_ATTENTION)
    assert run.manifest.waiting_for == WaitingForPerson(run.run_id, Remedy.RETRY)
    assert run.manifest.status_reason == "parse: odd"


def test_a_completion_that_could_not_be_written_leaves_the_run_unfinished(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Run) -> None:
        raise OSError(28, "No space left on device")

    transitions.begin(run, run.manifest.steps[0])
    monkeypatch.setattr(Run, "save", full)
    with pytest.raises(OSError):
        transitions.complete(run)
    assert (run.manifest.status, run.manifest.total_duration_seconds) == ("in_progress", None)


@pytest.mark.parametrize("waiting_for", WAITS, ids=str)
def test_what_a_run_waits_for_survives_its_manifest_with_every_fact(
    run: Run, waiting_for: WaitingFor
) -> None:
    transitions.wait(run, None, waiting_for)
    run.reload()
    assert run.manifest.waiting_for == waiting_for
    assert run.manifest.status_reason == str(waiting_for)


def test_an_unknown_fact_and_an_unknown_kind_are_refused(run: Run) -> None:
    for waiting_for in ({"kind": "device", "holder": "x", "colour": "red"}, {"kind": "moon"}, "a sentence"):
        with pytest.raises(ValueError):
            Manifest.model_validate({**run.manifest.model_dump(), "waiting_for": waiting_for})


def test_every_state_has_a_line_that_says_when() -> None:
    module = ast.parse(inspect.getsource(states))
    for enum in (node for node in module.body if isinstance(node, ast.ClassDef)):
        assert ast.get_docstring(enum)
        values = [index for index, node in enumerate(enum.body) if isinstance(node, ast.Assign)]
        assert len(values) > 1
        for index in values:
            said = enum.body[index + 1]
            assert isinstance(said, ast.Expr), f"{enum.name}: {ast.unparse(enum.body[index])}"
            assert isinstance(said.value, ast.Constant)


def _writers() -> Iterator[str]:
    """Every place outside of transitions.py that assigns a state."""
    for room in ("config", "daemon", "jobs", "launchd"):
        for path in sorted((ROOT / room).rglob("*.py")):
            if path.name == "transitions.py" or "data" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                targets: list[Any] = getattr(node, "targets", None) or [getattr(node, "target", None)]
                for target in targets:
                    for part in getattr(target, "elts", [target]):
                        names = ("status", "status_reason", "waiting_for")
                        if isinstance(part, ast.Attribute) and part.attr in names and not _own(part):
                            yield f"{path.relative_to(ROOT)}:{part.lineno}"


def _own(part: ast.Attribute) -> bool:
    return isinstance(part.value, ast.Name) and part.value.id == "self"


@pytest.mark.slow
def test_transitions_are_the_only_writer_of_states() -> None:
    assert list(_writers()) == []


def _decisions(store: RunStore, runs: dict[str, Run]) -> list[Any]:
    held = WaitingForPower(PowerReason.BATTERY)
    low = runs["low"]
    return [
        tasks.waiting_runs(store),
        tasks.undriven_runs(store),
        tasks.undriven_runs(store, held),
        priority.before(store, low),
        [priority.instead_of(store, run.run_id) for run in runs.values()],
        [run.run_id for run in priority.in_order(store.unfinished())],
        [priority._wants_the_device(run) for run in runs.values()],
    ]


@pytest.mark.slow
def test_rewording_every_reason_changes_no_scheduling_decision(
    store: RunStore, make_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, host: Host
) -> None:
    runs = {"low": make_run(delivery="low")}
    for number, waiting_for in enumerate(WAITS):
        run = runs[str(number)] = make_run(delivery=f"d{number}")
        run.manifest.priority = number % 3
        move = transitions.pause if isinstance(waiting_for, WaitingForPerson) else None
        transitions.begin(run, run.manifest.steps[0])
        if move is not None:
            move(run)
        else:
            transitions.put_off(run, run.manifest.steps[0], waiting_for)
    before = _decisions(store, runs)
    assert before[0] == [runs[number].run_id for number in ("2", "5", "1", "4", "7", "0")]
    for words in ("", "waits for the moon", "the disk is a network: needs device"):
        for kind in get_args(WaitingFor):
            monkeypatch.setattr(kind, "__str__", lambda self, words=words: words)
        for run in runs.values():
            run.manifest.status_reason = words
            run.save()
        assert _decisions(store, runs) == before
        assert asdict(WAITS[1])["missing_bytes"] == 3
