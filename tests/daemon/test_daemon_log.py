from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Log
from daemon.log import configure
from daemon.readable import printable, readable

SETTINGS = Log(level="info", max_bytes=2000, backups=50)


@pytest.fixture
def start() -> Iterator[Callable[..., Path]]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def configured(folder: Path, settings: Log = SETTINGS, console: bool = False) -> Path:
        configure(folder, settings, console)
        return folder

    yield configured
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_line_is_json_with_its_time_and_level(tmp_path: Path, start: Callable[..., Path]) -> None:
    start(tmp_path)
    structlog.get_logger("sectune.x").info("daemon starts", inbox="/a b")
    (line,) = lines(tmp_path / "daemon.log")
    assert line["event"] == "daemon starts"
    assert line["inbox"] == "/a b"
    assert line["level"] == "info"
    assert str(line["timestamp"]).endswith("Z")


def test_a_line_about_a_run_is_in_its_own_log_too(tmp_path: Path, start: Callable[..., Path]) -> None:
    start(tmp_path)
    log = structlog.get_logger("sectune.x")
    log.info("run queued", run="r1")
    with structlog.contextvars.bound_contextvars(run="r2"):
        log.info("step started", step="parse")
    log.info("watching")
    assert [line["event"] for line in lines(tmp_path / "runs" / "r1.log")] == ["run queued"]
    assert [line["event"] for line in lines(tmp_path / "runs" / "r2.log")] == ["step started"]
    assert len(lines(tmp_path / "daemon.log")) == 3


def test_the_queues_own_lines_are_included(tmp_path: Path, start: Callable[..., Path]) -> None:
    start(tmp_path)
    logging.getLogger("huey").warning("Executing %s", "advance")
    (line,) = lines(tmp_path / "daemon.log")
    assert (line["logger"], line["event"]) == ("huey", "Executing advance")


def test_a_traceback_is_kept_in_its_line(tmp_path: Path, start: Callable[..., Path]) -> None:
    start(tmp_path)
    try:
        raise ValueError("odd")
    except ValueError:
        structlog.get_logger("sectune.x").exception("scan failed")
    (line,) = lines(tmp_path / "daemon.log")
    assert "ValueError: odd" in str(line["exception"])
    shown = readable(json.dumps(line)).splitlines()
    assert shown[0].endswith("scan failed")
    assert shown[-1] == "ValueError: odd"


def test_what_is_less_severe_than_asked_for_is_left_out(tmp_path: Path, start: Callable[..., Path]) -> None:
    start(tmp_path, SETTINGS.model_copy(update={"level": "warning"}))
    structlog.get_logger("sectune.x").info("quiet")
    structlog.get_logger("sectune.x").warning("loud")
    assert [line["event"] for line in lines(tmp_path / "daemon.log")] == ["loud"]


def test_rotation_keeps_every_line(tmp_path: Path, start: Callable[..., Path]) -> None:
    start(tmp_path)
    log = structlog.get_logger("sectune.x")
    for number in range(200):
        log.info("report", run="r1", number=number)
    for pattern in ("daemon.log*", "runs/r1.log*"):
        found = sorted(int(str(line["number"])) for path in tmp_path.glob(pattern) for line in lines(path))
        assert found == list(range(200))
        assert len(list(tmp_path.glob(pattern))) > 5


def test_rotation_drops_the_oldest_beyond_the_number_of_files(
    tmp_path: Path, start: Callable[..., Path]
) -> None:
    start(tmp_path, SETTINGS.model_copy(update={"backups": 2}))
    for number in range(200):
        structlog.get_logger("sectune.x").info("report", run="r1", number=number)
    assert sorted(path.name for path in tmp_path.glob("runs/*")) == ["r1.log", "r1.log.1", "r1.log.2"]
    assert lines(tmp_path / "runs" / "r1.log")[-1]["number"] == 199


def test_a_line_reads_as_time_level_event_and_the_rest() -> None:
    line = {
        "timestamp": "2026-01-02T03:04:05.678901Z",
        "level": "info",
        "event": "file refused",
        "logger": "sectune.intake",
        "run": "r1",
        "pid": 7,
        "reason": "not a report",
        "loss": 1.23456789,
        "nothing": None,
        "step": "parse",
    }
    assert (
        readable(json.dumps(line), ("logger", "pid", "run"))
        == '2026-01-02 03:04:05 info    file refused  reason="not a report" loss=1.23457 step=parse'
    )


@pytest.mark.parametrize("line", ["plain words\n", "7\n", "[1, 2]\n", '{"torn": \n'])
def test_a_line_that_is_no_json_object_is_shown_as_it_is(line: str) -> None:
    assert readable(line) == line.rstrip("\n")


def test_the_daemons_own_log_tells_which_run_a_line_is_about() -> None:
    assert readable('{"event": "step started", "run": "r1", "pid": 7}').endswith("step started  run=r1")


def test_the_terminal_gets_the_same_line_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], start: Callable[..., Path]
) -> None:
    start(tmp_path, console=True)
    structlog.get_logger("sectune.x").info("file refused", path="/inbox/\x1b[2J.json")
    shown = capsys.readouterr().err
    assert shown.endswith("info    file refused  path=/inbox/\\x1b[2J.json\n")


@given(st.text())
def test_nothing_steers_the_terminal(text: str) -> None:
    assert all(char.isprintable() or char in "\n\t" for char in printable(text))
