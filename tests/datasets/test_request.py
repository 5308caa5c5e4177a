"""The data set request: one for the run's step and the command, checked on both sides of the process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from jobs.children.request import from_json, to_json
from jobs.datasets.public.source import Source, sources_of
from jobs.datasets.request import (
    BuildFolders,
    BuildMessage,
    Stage1Request,
    Stage2Request,
    stage1_request,
    stage2_request,
)
from jobs.errors import ChildFailed, OperatorError

Stage1, Stage2 = Callable[..., Stage1Request], Callable[..., Stage2Request]
FOLDERS = BuildFolders(Path("/run/training-data"), Path("/base/model"), Path("/models"))


@pytest.fixture
def chosen(settings_with: Callable[..., Settings]) -> Settings:
    return settings_with(
        {
            "SEED": "11",
            "DATASETS__REPLAY_RATIO": "0.25",
            "DATASETS__INCLUDE_ADVICE": "true",
            "DATASETS__CONTEXT_LINES": "9",
            "DATASETS__AUGMENTATION": "2",
            "DATASETS__SOURCES__CROSSVUL__SOURCE": "/data/crossvul",
            "DATASETS__SOURCES__CROSSVUL__MAX_ROWS": "5",
            "DATASETS__SOURCES__CVEFIXES__SOURCE": "null",
        }
    )


def test_each_stage_s_request_is_what_the_settings_say(chosen: Settings) -> None:
    shared = {
        "out": "/run/training-data",
        "tokenizer": "/base/model",
        "max_seq_length": chosen.training.max_seq_length,
        "seed": 11,
        "valid_fraction": 0.1,
        "test_fraction": 0.1,
        "quality_weight_multiplier": chosen.datasets.quality_weight_multiplier,
        "augmentation": 2,
        "cache": "/models/cache/datasets",
    }
    assert to_json(stage1_request(chosen, FOLDERS)) == {
        "stage": 1,
        **shared,
        "context_lines": 9,
        "sources": [{"name": "crossvul", "location": "/data/crossvul", "revision": None, "max_rows": 5}],
    }
    second = stage2_request(chosen, FOLDERS, Path("/run/findings.jsonl"), Path("/run/train.jsonl"))
    assert to_json(second) == {
        "stage": 2,
        **shared,
        "findings": "/run/findings.jsonl",
        "replay_from": "/run/train.jsonl",
        "replay_ratio": 0.25,
        "domain": "webauthn",
        "include_advice": True,
    }


def test_sources_that_are_named_take_the_place_of_the_settings(chosen: Settings) -> None:
    named = (Source("cvefixes", "owner/name", "abc"),)
    assert stage1_request(chosen, FOLDERS, named).sources == named
    assert [source.name for source in sources_of(chosen.datasets)] == ["crossvul"]


def test_a_message_is_the_same_after_a_trip_through_json(
    stage1: Stage1, stage2: Stage2, tmp_path: Path
) -> None:
    for request in (stage1([], [], cache=tmp_path), stage2([], tmp_path / "train.jsonl")):
        message = BuildMessage(request=request, inputs=("ab", "cd"))
        again = from_json(BuildMessage, json.loads(json.dumps(to_json(message))))
        assert again == message
        assert type(again.request) is type(request)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"request": {"seeds": 1}}, "unknown field `seeds`"),
        ({"request": {"seed": None}}, r"`\$.request.seed`"),
        ({"request": {"seed": "7"}}, r"Expected `int`, got `str` - at `\$.request.seed`"),
        ({"request": {"out": 3}}, r"\$.request.out`"),
        ({"request": {"cache": ["a"]}}, r"\$.request.cache`"),
        ({"request": {"valid_fraction": True}}, r"\$.request.valid_fraction`"),
        ({"request": {"stage": 2}}, "context_lines"),
        ({"request": {"stage": 3}}, r"Invalid value 3 - at `\$.request.stage`"),
        ({"request": {"sources": [{"name": "crossvul"}]}}, "missing required field `location`"),
        (
            {"request": {"sources": [{"name": "crossvul", "location": "a", "rows": 1}]}},
            "unknown field `rows`",
        ),
        ({"inputs": [1]}, r"Expected `str`, got `int` - at `\$.inputs\[0\]`"),
        ({"step": "dataset_1"}, "unknown field `step`"),
    ],
)
def test_the_child_names_the_key_that_is_wrong(stage1: Stage1, change: dict[str, Any], named: str) -> None:
    value = to_json(BuildMessage(request=stage1([], [])))
    for key, inner in change.items():
        value[key] = {**value[key], **inner} if key == "request" else inner
    with pytest.raises(ChildFailed, match=named):
        from_json(BuildMessage, value)


@pytest.mark.parametrize("key", ["out", "tokenizer", "max_seq_length", "seed", "context_lines", "sources"])
def test_the_child_names_the_key_that_is_missing(stage1: Stage1, key: str) -> None:
    value = to_json(BuildMessage(request=stage1([], [])))
    del value["request"][key]
    with pytest.raises(ChildFailed, match=f"missing required field `{key}`"):
        from_json(BuildMessage, value)


def test_the_sender_names_the_key_too(stage1: Stage1) -> None:
    with pytest.raises(ChildFailed, match=r"Expected `int`, got `str` - at `\$.request.seed`"):
        to_json(BuildMessage(request=stage1([], [], seed="7")))
    with pytest.raises(ChildFailed, match=r"Expected `Path`, got 3 - at `\$.out`"):
        to_json(stage1([], [], out=3))
    with pytest.raises(NotImplementedError, match="object has no JSON"):
        to_json(stage1([], [], out=object()))
    with pytest.raises(OperatorError, match="bigvul"):
        Source("bigvul", "owner/name")


def test_a_request_cannot_be_changed(stage1: Stage1) -> None:
    with pytest.raises(AttributeError):
        stage1([], []).seed = 8  # type: ignore[misc]
