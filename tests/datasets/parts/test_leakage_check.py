"""The leakage check: it finds planted leaks by reading the files alone."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.datasets.examples.example import conversation, fence, prompt_text
from jobs.datasets.parts.leakage import LeakFound, check, require_none

LONG = "\n".join(f"value_{name} = load_{name}(source, deep=True)" for name in "abcdefghijk")


def row(before: str, after: str, *groups: str) -> dict[str, Any]:
    prompt = prompt_text("Fix.", {"CWE": None}, fence(before, "python"))
    return {
        "messages": list(conversation(prompt, fence(after, "python"))),
        "metadata": {"groups": list(groups)},
    }


def checked(
    made: SimpleNamespace, folder: Path, train: list[Any], valid: list[Any], test: list[Any]
) -> dict[str, Any]:
    for part, rows in (("train", train), ("valid", valid), ("test", test)):
        made.write_lines(folder / f"{part}.jsonl", rows)
    return check(folder)


@pytest.mark.parametrize(
    ("leak", "kinds"),
    [
        (row("a()", "b()"), {"prompt", "vulnerable_code", "answer"}),
        (row("x()", "b()"), {"answer"}),
        (row("x()", "y()", "commit:1"), {"group"}),
        (row("a( )", "z()"), {"vulnerable_code"}),
        (row(LONG.replace("load_c", "read_c"), "z()"), {"near_duplicate"}),
    ],
)
@pytest.mark.parametrize("part", ["valid", "test"])
def test_a_planted_leak_is_found_and_named(
    made: SimpleNamespace, tmp_path: Path, leak: dict[str, Any], kinds: set[str], part: str
) -> None:
    train = [row("a()", "b()"), row("c()", "d()", "commit:1"), row(LONG, "e()")]
    parts = {"valid": [row("m()", "n()")], "test": [row("o()", "p()")]}
    parts[part].append(leak)
    result = checked(made, tmp_path, train, **parts)
    assert {kind for kind, count in result["by_kind"].items() if count} == kinds
    with pytest.raises(LeakFound):
        require_none(result)


def test_a_test_case_that_stands_in_valid_is_a_leak_too(made: SimpleNamespace, tmp_path: Path) -> None:
    shared = row("m()", "n()")
    assert checked(made, tmp_path, [row("a()", "b()")], [shared], [copy.deepcopy(shared)])["leaks"] > 0


def test_copies_within_train_are_no_leak(made: SimpleNamespace, tmp_path: Path) -> None:
    result = checked(made, tmp_path, [row(LONG, "b()", "g")] * 3, [row("c()", "d()")], [])
    assert require_none(result)["leaks"] == 0
