"""Take out of a text what tells of the machine and the person it was made on."""

from __future__ import annotations

import getpass
import re
import socket
from functools import cache
from pathlib import Path

PATH = "<path>"
NAME = "<name>"
# Account and host names that name nobody; replacing them would only garble ordinary words.
_TELL_NOTHING = frozenset(
    {
        "admin", "app", "base", "build", "builder", "ci", "default", "docker", "dev", "guest", "home",
        "host", "local", "localhost", "mac", "macbook", "main", "model", "models", "nobody", "root",
        "runner", "security", "server", "system", "test", "tests", "train", "ubuntu", "user", "vm", "work",
    }
)  # fmt: skip
_SHORTEST_NAME = 3
# An absolute path of two or more parts, a Windows path, a file URL or a home: not a web address's own
# path, not a fraction, not `and/or`.
_ABSOLUTE = re.compile(
    r"""(?:file://|(?<![\w./~<-])~?(?=/[^\s/]+/))(?:/[^\s/"'`|<>()\[\],;]+)+/?"""
    r"""|(?<!\w)~/[^\s"'`|<>()\[\],;]+"""
    r"""|(?<!\w)[A-Za-z]:\\[^\s"'`|<>,;]+"""
)


def sanitise(text: str) -> str:
    """The text with every absolute path and every user or host name of this machine replaced."""
    text = _below_home().sub(PATH, text)
    text = _ABSOLUTE.sub(PATH, text)
    for name in _names():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", NAME, text, flags=re.IGNORECASE)
    return text


def private_traces(text: str) -> list[str]:
    """What `sanitise` would take out of a text, each once, in the order found."""
    found = [match.group() for match in _below_home().finditer(text)]
    found += [match.group() for match in _ABSOLUTE.finditer(text)]
    for name in _names():
        found += re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", text, flags=re.IGNORECASE)
    return list(dict.fromkeys(found))


def short_label(text: str) -> str:
    """What a path ends in; a text that is no absolute path is only sanitised."""
    if _ABSOLUTE.fullmatch(text) or text.startswith("/"):
        text = re.split(r"[\\/]", text.rstrip("\\/"))[-1]
    return sanitise(text)


def _below_home() -> re.Pattern[str]:
    """The home folder and what lies in it; looked for by name because it may hold spaces."""
    home = re.escape(str(Path.home()).rstrip("/")) or r"(?!)"
    return re.compile(rf"""(?<![\w./-]){home}(?![\w-])(?:/[^\s"'`|<>()\[\],;]*)?""")


def _names() -> list[str]:
    user, host = _machine_names()
    candidates = [user, host, host.split(".")[0]]
    telling = [name for name in candidates if len(name) >= _SHORTEST_NAME]
    return list(dict.fromkeys(name for name in telling if name.lower() not in _TELL_NOTHING))


@cache
def _machine_names() -> tuple[str, str]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # an account without a name (a container's bare uid) has none to leak
        user = ""
    return user, socket.gethostname()
