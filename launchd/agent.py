"""The agent's property list: what launchd is told about the daemon, and our own check of it.

`plistutil` accepts faulty lists and launchd ignores what it does not know, so every key is checked here.
"""

from __future__ import annotations

import plistlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

DEFAULT_LABEL = "io.sectune.agent"
# launchd gives an agent no PATH of the user's; the daemon calls git and caffeinate, which are here.
SYSTEM_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
KEEP_ALIVE = {"SuccessfulExit": False, "Crashed": True}
OPEN_FILES = 4096  # launchd's own default is 256
UMASK = 0o077  # launchd wants the integer 63; a string with a leading zero is read differently by key type

_SECRET_NAMES = re.compile(
    r"(?:^|_)(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?|KEY|APIKEY)$", re.I
)
_SECRET_VALUES = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|sk-[\w-]{16,}|AKIA[A-Z0-9]{12,}"
    r"|xox[abprs]-[\w-]{8,})|://[^/\s:@]+:[^/\s@]+@"
)
_REVERSE_DNS = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


def property_list(
    program: Path, environment: Mapping[str, str], log: Path, label: str = DEFAULT_LABEL
) -> dict[str, Any]:
    """What launchd needs to keep `<program> run` alive.

    Args:
        program: The console script of the installed environment, absolute.
        environment: Variables for the daemon; PATH is added where it is missing: the program's own folder,
            then the system's.
        log: The boot log for standard output and error; launchd never rotates it.
        label: The agent's name, in reverse DNS.

    Returns:
        The list as plistlib writes it; `check` says whether launchd would take it.
    """
    variables = {"PATH": f"{program.parent}:{SYSTEM_PATH}", **environment}
    return {
        "Label": label,
        "ProgramArguments": [str(program), "run"],
        "RunAtLoad": True,
        # Crashed alone does not restart after SIGKILL; a deliberate stop exits 0 and stays stopped
        "KeepAlive": dict(KEEP_ALIVE),
        # Background costs 8 times the time on Metal, and no type at all is throttled, too
        "ProcessType": "Interactive",
        "ThrottleInterval": 30,
        "ExitTimeOut": 30,  # the default, about 5 seconds, is shorter than a clean stop
        "EnvironmentVariables": variables,
        "SoftResourceLimits": {"NumberOfFiles": OPEN_FILES},
        "Umask": UMASK,
        "StandardOutPath": str(log),
        "StandardErrorPath": str(log),
    }


def check(plist: Mapping[str, Any]) -> list[str]:
    """Everything wrong with a property list, in words; empty is good."""
    problems = [f"{key} is missing" for key in _CHECKS if key not in plist]
    problems += [f"{key} is not a key that we use" for key in plist if key not in _CHECKS]
    for key in _CHECKS:
        if key in plist:
            problems += [f"{key} {problem}" for problem in _CHECKS[key](plist[key])]
    return problems


def render(plist: Mapping[str, Any]) -> bytes:
    """The list as XML.

    Raises:
        ValueError: `check` found something.
    """
    if problems := check(plist):
        raise ValueError("The property list is faulty: " + "; ".join(problems))
    return plistlib.dumps(dict(plist), fmt=plistlib.FMT_XML, sort_keys=False)


def _exactly(expected: Any) -> Callable[[Any], list[str]]:
    """A check for one value and its type: to Python `True == 1`, to launchd it is not."""

    def problems(value: Any) -> list[str]:
        same = type(value) is type(expected) and value == expected
        if same and isinstance(expected, dict):
            same = all(type(value[key]) is type(expected[key]) for key in expected)
        return [] if same else [f"is {value!r} instead of {expected!r}"]

    return problems


def _label_problems(value: Any) -> list[str]:
    good = isinstance(value, str) and _REVERSE_DNS.fullmatch(value)
    return [] if good else [f"is {value!r}, not a name in reverse DNS"]


def _path_problems(value: Any) -> list[str]:
    if not isinstance(value, str):
        return [f"is {value!r}, not text"]
    if not value.startswith("/") or ".." in Path(value).parts:
        return [f"has {value!r}, which is not an absolute path: launchd expands neither ~ nor variables"]
    if "/Cellar/" in value:
        return [f"has {value!r}, a Homebrew path that the next upgrade removes"]
    return []


def _program_problems(value: Any) -> list[str]:
    if not isinstance(value, list) or len(value) != 2 or value[1] != "run":
        return [f"is {value!r}, not the program and `run`"]
    return _path_problems(value[0])


def _environment_problems(value: Any) -> list[str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in (*value, *value.values())):
        return [f"is {value!r}, not text for each name"]
    problems = [
        f"holds what looks like a secret in {name}" for name in value if _is_secret(name, value[name])
    ]
    if not value.get("PATH"):
        return [*problems, "has no PATH"]
    for part in value["PATH"].split(":"):
        problems += [f"PATH {problem}" for problem in _path_problems(part)]
    return problems


def _is_secret(name: str, value: str) -> bool:
    return bool(_SECRET_NAMES.search(name) or _SECRET_VALUES.search(value))


_CHECKS: dict[str, Callable[[Any], list[str]]] = {
    "Label": _label_problems,
    "ProgramArguments": _program_problems,
    "RunAtLoad": _exactly(True),
    "KeepAlive": _exactly(KEEP_ALIVE),
    "ProcessType": _exactly("Interactive"),
    "ThrottleInterval": _exactly(30),
    "ExitTimeOut": _exactly(30),
    "EnvironmentVariables": _environment_problems,
    "SoftResourceLimits": _exactly({"NumberOfFiles": OPEN_FILES}),
    "Umask": _exactly(UMASK),
    "StandardOutPath": _path_problems,
    "StandardErrorPath": _path_problems,
}
