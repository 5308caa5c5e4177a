"""What a person sees of logs and names: a line in words, nothing that steers the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence

TYPE_CHECKING = False  # see config/cache.py
if TYPE_CHECKING:
    from typing import Any


def printable(text: str) -> str:
    """Text without what would steer the terminal: names of reports and their members may be hostile."""
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


def readable(line: str, hidden: Sequence[str] = ("logger", "pid")) -> str:
    """One JSON line as a person reads it: time, level, event, then the rest as key=value.

    A traceback follows on lines of its own. What is no JSON object is shown as it is.

    Args:
        line: The line as it is in the file.
        hidden: Keys that would only repeat what the reader knows, for example the run in its own log.
    """
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return line.rstrip("\n")
    moment = str(fields.pop("timestamp", ""))[:19].replace("T", " ")
    level = str(fields.pop("level", "")).ljust(7)
    event = fields.pop("event", "")
    trace = fields.pop("exception", None) or fields.pop("traceback", None)
    for key in (*hidden, "exception", "traceback"):
        fields.pop(key, None)
    rest = " ".join(f"{key}={_short(value)}" for key, value in fields.items() if value is not None)
    text = f"{moment} {level} {event}  {rest}".rstrip()
    return f"{text}\n{str(trace).rstrip()}" if trace else text


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text
