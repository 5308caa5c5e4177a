"""How a child ended: its own words arrive, and where it left none, what is known of its death."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jobs.children import parent, protocol
from jobs.children.task import Task
from jobs.errors import (
    ChildFailed,
    DeliveryRefused,
    DiskFull,
    GpuWatchdog,
    NetworkError,
    OperatorError,
    OutOfMemory,
)
from jobs.fs import files

Tasks = Callable[..., Task]
Drive = Callable[[Task], dict[str, Any]]
Count = Callable[[Task], int]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "kind", "message", "remedy"),
    [
        ("refuse", DeliveryRefused, "nothing in it", "deliver more"),
        ("operator", OperatorError, "a setting is wrong", "mend it"),
        ("network", NetworkError, "no answer", ""),
        (
            "full disk",
            DiskFull,
            "No space left on device: /big.",
            "Free some space on the disk; it goes on by itself.",
        ),
        ("bug", ChildFailed, "KeyError: 'missing'", ""),
    ],
)
def test_a_failed_childs_own_words_arrive(
    task: Tasks, what: str, kind: type[Exception], message: str, remedy: str, drive: Drive
) -> None:
    with pytest.raises(kind) as caught:
        drive(task(what))
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.remedy) == (message, remedy)  # type: ignore[attr-defined]
    traceback = "\n".join(getattr(caught.value, "__notes__", []))
    assert ('{}["missing"]' in traceback) == (what == "bug")
    assert any(line["event"] == "failed" for line in files.read_jsonl(task().log))


@pytest.mark.slow
def test_a_failed_childs_work_is_done_again_when_asked_again(
    task: Tasks, drive: Drive, executions: Count
) -> None:
    for count in (1, 2):
        with pytest.raises(OperatorError):
            drive(task("operator"))
        assert executions(task()) == count


def test_a_killed_child_is_reported_with_the_signal_and_its_last_words(task: Tasks, drive: Drive) -> None:
    with pytest.raises(ChildFailed, match=r"killed by SIGKILL.*my last words") as caught:
        drive(task("die"))
    assert str(task().work / protocol.OUTPUT) in caught.value.remedy


@pytest.mark.slow
def test_a_child_that_the_gpu_watchdog_ended_says_what_helps_and_goes_on_from_its_work(
    task: Tasks, drive: Drive
) -> None:
    with pytest.raises(GpuWatchdog, match=r"Impacting Interactivity.*killed by SIGABRT") as caught:
        drive(task("watchdog"))
    assert caught.value.retryable
    assert "let the display sleep" in caught.value.remedy
    seen: list[dict[str, Any]] = []
    with pytest.raises(GpuWatchdog):
        parent.drive(task("watchdog"), seen.append, lambda: False)
    assert seen[0]["phase"] == "resumed"


def test_a_killed_child_is_most_likely_out_of_memory(task: Tasks, drive: Drive) -> None:
    with pytest.raises(OutOfMemory) as caught:
        drive(task("die"))
    assert caught.value.retryable
    assert "grad_checkpoint" in caught.value.remedy


def test_a_child_without_room_for_a_receipt_says_so_by_its_exit_code(task: Tasks, drive: Drive) -> None:
    with pytest.raises(DiskFull, match="receipt"):
        drive(task("no receipt"))
    assert not (task().work / protocol.RECEIPT).exists()


@pytest.mark.slow
def test_last_words_are_the_last_childs_and_no_earlier_ones(task: Tasks, drive: Drive) -> None:
    with pytest.raises(ChildFailed):
        drive(task("die"))
    with pytest.raises(ChildFailed, match=r"exit code 3.*Its last words: none"):
        drive(task("exit"))
