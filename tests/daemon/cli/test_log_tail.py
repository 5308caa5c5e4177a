from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daemon.cli import log_tail
from daemon.cli.log_tail import follow, last_lines


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(log_tail, "POLL_SECONDS", 0.001)
    return tmp_path / "run.log"


def add(path: Path, *lines: str) -> None:
    with path.open("a") as stream:
        stream.writelines(f"{line}\n" for line in lines)


def rotate(path: Path) -> None:
    path.replace(path.with_name(f"{path.name}.1"))


def play(log: Path, *acts: Callable[[], object], lines: int = 10) -> Iterator[str]:
    """Follow `log`; each time nothing new has come the next act happens; after the last the run has ended."""
    remaining = list(acts)

    def ended() -> bool:
        if remaining:
            remaining.pop(0)()
            return False
        return True

    return follow(log, lines, ended)


def test_the_last_lines_come_first_then_what_is_added(log: Path) -> None:
    add(log, "one", "two", "three")
    shown = list(play(log, lambda: add(log, "four"), lambda: add(log, "five", "six"), lines=2))
    assert shown == ["two", "three", "four", "five", "six"]


def test_a_rotated_log_is_read_to_its_end_before_the_new_one(log: Path) -> None:
    def rotation() -> None:
        add(log, "last of the old")
        rotate(log)
        add(log, "first of the new")

    add(log, "begin")
    assert list(play(log, rotation)) == ["begin", "last of the old", "first of the new"]


def test_a_log_that_does_not_exist_yet_is_waited_for(log: Path) -> None:
    assert list(play(log, lambda: None, lambda: add(log, "born"))) == ["born"]


def test_a_log_that_is_deleted_and_made_again_is_followed(log: Path) -> None:
    add(log, "before")

    def made_again() -> None:
        kept = log.open()  # so that the inode is not given to the new file
        log.unlink()
        add(log, "after")
        kept.close()

    assert list(play(log, made_again)) == ["before", "after"]


def test_the_line_that_is_written_just_after_the_end_is_not_missed(log: Path) -> None:
    add(log, "begin")
    wrote = []

    def ended() -> bool:
        if not wrote:
            wrote.append(True)
            add(log, "run completed")
        return True

    assert list(follow(log, 5, ended)) == ["begin", "run completed"]


def test_half_a_line_is_shown_once_it_is_whole(log: Path) -> None:
    log.write_text("whole\nha")

    def rest() -> None:
        with log.open("a") as stream:
            stream.write("lf\n")

    assert list(play(log, rest)) == ["whole", "half"]


def test_the_last_lines_reach_back_into_the_rotated_log(log: Path) -> None:
    add(log, "one", "two")
    rotate(log)
    add(log, "three")
    assert last_lines(log, 2) == ["two", "three"]
    assert last_lines(log, 1) == ["three"]
    assert last_lines(log, 0) == []
    assert last_lines(log.with_name("none.log"), 5) == []


def test_bytes_that_are_no_utf8_do_not_end_the_following(log: Path) -> None:
    log.write_bytes(b"a\xffb\n")
    assert list(play(log)) == ["a�b"]
