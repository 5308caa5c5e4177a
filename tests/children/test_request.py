"""A request is checked by whoever sends it and by the child; what is wrong is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from jobs.children.request import Request, from_json, to_json
from jobs.children.task import Task
from jobs.errors import ChildFailed


class Shape(Request, frozen=True, kw_only=True):
    rank: Annotated[int, msgspec.Meta(ge=1)]
    scale: float


class Asked(Request, frozen=True, kw_only=True):
    model: Path
    keys: tuple[str, ...]
    shape: Shape | None


ASKED = Asked(model=Path("/models/a"), keys=("q", "v"), shape=Shape(rank=8, scale=2))
JSON = {"model": "/models/a", "keys": ["q", "v"], "shape": {"rank": 8, "scale": 2.0}}


def test_a_request_comes_back_as_it_was_sent() -> None:
    assert to_json(ASKED) == JSON
    assert isinstance(to_json(ASKED)["shape"]["scale"], float)
    assert from_json(Asked, JSON) == ASKED


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"colour": "red"}, "unknown field `colour`"),
        ({"shape": {"rank": 8}}, r"missing required field `scale` - at `\$\.shape`"),
        ({"shape": {"rank": "8", "scale": 2.0}}, r"Expected `int`, got `str` - at `\$\.shape\.rank`"),
        ({"shape": {"rank": 0, "scale": 2.0}}, r"Expected `int` >= 1 - at `\$\.shape\.rank`"),
        ({"shape": {"rank": True, "scale": 2.0}}, r"Expected `int`, got `bool` - at `\$\.shape\.rank`"),
        ({"model": 3}, r"Expected `Path`, got 3 - at `\$\.model`"),
        ({"keys": ["q", None]}, r"Expected `str`, got `null` - at `\$\.keys\[1\]`"),
    ],
)
def test_a_wrong_missing_or_unknown_key_is_named(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ChildFailed, match=named):
        from_json(Asked, {**JSON, **change})


def test_the_sender_is_told_first() -> None:
    wrong = msgspec.structs.replace(ASKED, keys=("q", 3))
    task = Task(module="m", work=Path("/work"), payload=wrong, log=Path("/log"))
    with pytest.raises(
        ChildFailed, match=r"This is no Asked: Expected `str`, got `int` - at `\$\.keys\[1\]`"
    ):
        task.key  # noqa: B018 - asked for what it raises


def test_the_same_request_is_the_same_work_whether_it_is_a_struct_or_json() -> None:
    tasks = [Task(module="m", work=Path("/work"), payload=each, log=Path("/log")) for each in (ASKED, JSON)]
    assert tasks[0].key == tasks[1].key


@pytest.mark.slow
def test_a_child_that_is_asked_wrongly_says_which_key(
    task: Callable[..., Task], drive: Callable[[Task], dict[str, Any]]
) -> None:
    with pytest.raises(ChildFailed, match="This is no CountRequest: Object contains unknown field `colour`"):
        drive(task("this", module="strict_child", colour="red"))
    assert drive(task("this", module="strict_child")) == {"what": "this", "named": "counter"}
