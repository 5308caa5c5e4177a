from __future__ import annotations

import plistlib
from pathlib import Path
from typing import Any

import pytest

from launchd.agent import check, property_list, render

PROGRAM = Path("/opt/sectune/bin/sectune")
LOG = Path("/var/log/sectune/boot.log")


def good(**environment: str) -> dict[str, Any]:
    return property_list(PROGRAM, environment, LOG)


def test_the_list_holds_exactly_what_the_design_decides() -> None:
    assert good() == {
        "Label": "io.sectune.agent",
        "ProgramArguments": ["/opt/sectune/bin/sectune", "run"],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False, "Crashed": True},
        "ProcessType": "Interactive",
        "ThrottleInterval": 30,
        "ExitTimeOut": 30,
        "EnvironmentVariables": {"PATH": "/opt/sectune/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
        "SoftResourceLimits": {"NumberOfFiles": 4096},
        "Umask": 63,
        "StandardOutPath": "/var/log/sectune/boot.log",
        "StandardErrorPath": "/var/log/sectune/boot.log",
    }
    assert check(good()) == []


def test_a_rendered_list_is_read_back_with_the_same_types() -> None:
    text = render(good(SECTUNE_HOME="/data & more"))
    back = plistlib.loads(text)
    assert back == good(SECTUNE_HOME="/data & more")
    assert text.startswith(b"<?xml")
    assert type(back["RunAtLoad"]) is bool
    assert type(back["Umask"]) is int


def test_a_given_path_is_kept() -> None:
    assert good(PATH="/a:/b")["EnvironmentVariables"]["PATH"] == "/a:/b"


def test_a_list_made_does_not_share_its_parts_with_the_next_one() -> None:
    good()["KeepAlive"]["Crashed"] = False
    assert check(good()) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Label", "sectune"),
        ("Label", 7),
        ("ProgramArguments", ["sectune", "run"]),
        ("ProgramArguments", ["/opt/homebrew/Cellar/sectune/0.1/bin/sectune", "run"]),
        ("ProgramArguments", ["/opt/sectune"]),
        ("ProgramArguments", "/opt/sectune run"),
        ("RunAtLoad", 1),
        ("KeepAlive", True),
        ("KeepAlive", {"Crashed": True}),
        ("KeepAlive", {"SuccessfulExit": 0, "Crashed": 1}),
        ("ProcessType", "Background"),
        ("ThrottleInterval", 30.0),
        ("ExitTimeOut", "30"),
        ("EnvironmentVariables", {}),
        ("EnvironmentVariables", {"PATH": "bin:/usr/bin"}),
        ("EnvironmentVariables", {"PATH": "/usr/bin", "N": 1}),
        ("EnvironmentVariables", ["PATH=/usr/bin"]),
        ("SoftResourceLimits", {"NumberOfFiles": 256}),
        ("Umask", "077"),
        ("Umask", 77),
        ("StandardOutPath", "~/boot.log"),
        ("StandardErrorPath", "/var/../boot.log"),
        ("StandardErrorPath", None),
    ],
)
def test_a_faulty_value_is_found_and_never_rendered(key: str, value: Any) -> None:
    faulty = {**good(), key: value}
    problems = check(faulty)
    assert problems
    assert all(problem.startswith(key) for problem in problems)
    with pytest.raises(ValueError, match=key):
        render(faulty)


def test_missing_and_unknown_keys_are_found() -> None:
    faulty = good()
    faulty["ExitTimeout"] = faulty.pop("ExitTimeOut")
    assert check(faulty) == ["ExitTimeOut is missing", "ExitTimeout is not a key that we use"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HF_TOKEN", "x"),
        ("WANDB_API_KEY", "x"),
        ("db_password", "x"),
        ("NOTE", "hf_" + "a" * 30),
        ("REDIS", "redis://user:pass@host/0"),
        ("GH", "ghp_" + "b" * 36),
    ],
)
def test_a_secret_in_the_environment_is_found_and_not_repeated(name: str, value: str) -> None:
    problems = check(good(**{name: value}))
    assert problems == [f"EnvironmentVariables holds what looks like a secret in {name}"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("HF_TOKEN_PATH", "/x/token"), ("SECTUNE__TRAIN__TOKEN_BUDGET", "2048"), ("KEYBOARD", "de")],
)
def test_a_name_that_only_sounds_like_a_secret_is_allowed(name: str, value: str) -> None:
    assert check(good(**{name: value})) == []
