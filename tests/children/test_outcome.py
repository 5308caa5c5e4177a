"""What became of a task is told by its folder; its exit code is known to its parent alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.children import life, parent
from jobs.children.outcome import State, outcome_of
from jobs.children.task import Task
from jobs.errors import ChildFailed, OperatorError, OutOfMemory

Tasks = Callable[..., Task]


def test_a_task_is_followed_by_its_key_from_absent_to_done(task: Tasks, tmp_path: Path) -> None:
    asked = task(gate=str(tmp_path / "gate"))
    assert outcome_of(asked.work, asked.key).state is State.ABSENT
    parent.start(asked)
    assert outcome_of(asked.work, asked.key).state is State.RUNNING
    assert outcome_of(asked.work, "another").state is State.ABSENT
    (tmp_path / "gate").touch()
    assert parent.drive(asked, lambda facts: None, lambda: False) == {"answer": 42}
    done = outcome_of(asked.work, asked.key)
    assert (done.state, done.result, done.error) == (State.DONE, {"answer": 42}, None)


def test_a_failure_is_told_as_often_as_it_is_asked_for(
    task: Tasks, drive: Callable[[Task], dict[str, Any]]
) -> None:
    asked = task("operator")
    with pytest.raises(OperatorError):
        drive(asked)
    for _ in range(2):
        failed = outcome_of(asked.work, asked.key)
        assert failed.state is State.FAILED
        assert type(failed.error) is OperatorError
        assert (failed.error.message, failed.error.remedy) == ("a setting is wrong", "mend it")


def test_a_child_that_was_asked_to_end_leaves_no_receipt_and_no_failure(task: Tasks) -> None:
    asked = task("stop")
    parent.start(asked)
    process = life.own(asked.work)
    assert process is not None
    assert process.wait(10) == 0
    ended = outcome_of(asked.work, asked.key)
    assert ended.state is State.DEAD
    assert ended.error is not None
    assert ended.error.message.startswith("tiny_child ended without a receipt (exit code 0).")
    assert not asked.log.exists()  # nothing failed


def test_a_death_is_told_with_its_signal_by_the_parent_and_without_it_by_the_next_daemon(
    task: Tasks, drive: Callable[[Task], dict[str, Any]], next_daemon: Callable[[], None]
) -> None:
    asked = task("die")
    with pytest.raises(OutOfMemory, match="killed by SIGKILL"):
        drive(asked)
    dead = outcome_of(asked.work, asked.key)
    assert dead.state is State.DEAD
    assert type(dead.error) is OutOfMemory
    next_daemon()
    dead = outcome_of(asked.work, asked.key)
    assert dead.state is State.DEAD
    assert type(dead.error) is ChildFailed
    assert dead.error.message == ("tiny_child ended without a receipt. Its last words: my last words")
