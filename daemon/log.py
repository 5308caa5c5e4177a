"""Logs: JSON lines in files (the daemon's and one per run), readable lines on a terminal."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from structlog.typing import Processor

from daemon.readable import printable, readable
from jobs.diagnosis import is_full
from jobs.fs import files
from jobs.state_files import DAEMON_LOG, RUN_LOGS

if TYPE_CHECKING:
    from config.settings import Log

SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(folder: Path, settings: Log, console: bool = True) -> None:
    """Send all logging, Huey's included, to `daemon.log`, to the runs' own logs and to stderr.

    Args:
        folder: The logs folder; run logs go into `runs/` below it.
        settings: Level, size and number of files.
        console: Whether to write readable lines to stderr, too.
    """
    files.private_folder(folder / RUN_LOGS)
    lines = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(SHARED),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )
    handlers: list[logging.Handler] = [
        DaemonLog(
            folder / DAEMON_LOG, maxBytes=settings.max_bytes, backupCount=settings.backups, encoding="utf-8"
        ),
        RunLogs(folder / RUN_LOGS, settings.max_bytes, settings.backups),
    ]
    for handler in handlers:
        handler.setFormatter(lines)
        handler.addFilter(_brief_on_a_full_disk)
    if console:
        handlers.append(_console(lines))
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(settings.level.upper())
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _console(lines: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Readable(lines))
    return handler


class _Readable(logging.Formatter):
    """The line that goes into the file, as a person reads it."""

    def __init__(self, lines: logging.Formatter) -> None:
        super().__init__()
        self.lines = lines

    def format(self, record: logging.LogRecord) -> str:
        """One record in words, safe for a terminal."""
        return printable(readable(self.lines.format(record)))


def silence() -> None:
    """Drop our log lines in a process that runs one command: it answers on stdout, where they would be."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _brief_on_a_full_disk(record: logging.LogRecord) -> bool:
    """Huey tells of a queue that could not be read with a traceback, each second for as long as it lasts."""
    error = record.exc_info[1] if record.exc_info else None
    if error is not None and is_full(error):
        record.exc_info, record.exc_text = None, None
        record.msg, record.args = f"{record.getMessage()}: {error}", ()
    return True


class _SurvivesAFullDisk(logging.Handler):
    """Says once on stderr that lines cannot be written, and once that they can again."""

    _lost = 0

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """A line could not be written."""
        error = sys.exc_info()[1]
        if error is None or not is_full(error):
            super().handleError(record)
            return
        if not self._lost:
            _tell(f"the log cannot be written, the disk is full: {error}")
        self._lost += 1

    def written(self) -> None:
        """A line was written."""
        if self._lost:
            lost, self._lost = self._lost, 0
            _tell(f"the log is written again; {lost} lines were late or lost")


def _tell(text: str) -> None:
    with contextlib.suppress(OSError):  # stderr may lie on the same disk
        sys.stderr.write(f"sectune: {text}\n")


class DaemonLog(_SurvivesAFullDisk, RotatingFileHandler):
    """The daemon's log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        lost = self._lost
        super().emit(record)
        if lost == self._lost:
            self.written()


class RunLogs(_SurvivesAFullDisk):
    """Appends each line that names a run to that run's log.

    The children append to the same files, a line per write; that is why a rotation is only a rename.
    """

    def __init__(self, folder: Path, max_bytes: int, backups: int) -> None:
        super().__init__()
        self.folder = folder
        self.max_bytes = max_bytes
        self.backups = backups

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record, if it belongs to a run."""
        try:
            line = self.format(record)
            run = json.loads(line).get("run")
            if run:
                path = self.folder / f"{run}.log"
                self._rotate(path)
                files.append_line(path, line)
                self.written()
        except Exception:  # logging must not take down what it reports on; this prints to stderr
            self.handleError(record)

    def _rotate(self, path: Path) -> None:
        if not path.exists() or path.stat().st_size < self.max_bytes:
            return
        for number in range(self.backups - 1, 0, -1):
            older = path.with_name(f"{path.name}.{number}")
            if older.exists():
                older.replace(path.with_name(f"{path.name}.{number + 1}"))
        path.replace(path.with_name(f"{path.name}.1"))
