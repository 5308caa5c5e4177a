"""How things look on a terminal: tables, bars, durations. JSON where it was asked for."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from daemon.readable import printable

TYPE_CHECKING = False  # see config/cache.py
if TYPE_CHECKING:
    from typing import Any

    from rich.console import Console
    from rich.text import Text

STYLES = {
    "completed": "green",
    "succeeded": "green",
    "in_progress": "cyan",
    "running": "cyan",
    "queued": "blue",
    "accepted": "blue",
    "waiting": "yellow",
    "settling": "yellow",
    "needs_attention": "bold red",
    "failed": "red",
    "refused": "red",
}
BAR_WIDTH = 24
PIPE_WIDTH = 1000


def console(stderr: bool = False) -> Console:
    """A console that keeps quiet about colours where nobody can see them (NO_COLOR, pipes)."""
    from rich.console import Console

    # Nobody's window is that wide: whoever reads a pipe wants each row on one line.
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, width=width)


def emit_json(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def say(*parts: str | Text) -> None:
    """A line of data on stdout, never broken, so that what is in it can be copied."""
    if all(isinstance(part, str) for part in parts):  # rich would write the same, after 60 ms
        sys.stdout.write("".join(printable(str(part)) for part in parts) + "\n")
        return
    console().print(*(_plain(part) for part in parts), sep="", soft_wrap=True)


def styled(text: str, style: str) -> Text:
    """A part of a line in a colour."""
    from rich.text import Text

    return Text(printable(text), style)


def _plain(part: str | Text) -> str | Text:
    return printable(part) if isinstance(part, str) else part


def note(text: str) -> None:
    """A remark on stderr."""
    sys.stderr.write(printable(text) + "\n")


def complain(error: Exception) -> None:
    """An error on stderr, and what to do about it."""
    if problems := getattr(error, "problems", None):
        note(f"sectune: {len(problems)} of the settings cannot be used:")
        for problem in problems:
            note(f"  {problem}")
        return
    note(f"sectune: {getattr(error, 'message', None) or error}")
    if remedy := getattr(error, "remedy", ""):
        note(f"  {remedy}")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """A table; cells that name a state get its colour."""
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        cells = [printable("-" if cell is None else str(cell)) for cell in row]
        grid.add_row(*(Text(cell, STYLES.get(cell, "")) for cell in cells))
    console().print(grid)


def bar(done: int | None, total: int | None) -> str:
    """A progress bar with its percentage; empty where nothing is counted."""
    if not done or not total:
        return ""
    filled = min(BAR_WIDTH, BAR_WIDTH * done // total)
    return f"{'━' * filled}{'╌' * (BAR_WIDTH - filled)} {100 * done // total:3d} %"


def duration(seconds: float | None) -> str:
    """Seconds as a person says them: 45 s, 12 min, 3 h 20 min."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    if whole < 5400:
        return f"{round(whole / 60)} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def number(value: float | None, digits: int = 3, unit: str = "") -> str:
    """A measured number; a dash for one that was not measured."""
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def percent(value: float | None) -> str:
    """A score; a dash for one that was not measured."""
    return number(value, 1, " %")
