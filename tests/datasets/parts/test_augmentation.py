"""Augmentation: other words for the same question, beside its origin, the answer byte for byte."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.build import build_stage1
from jobs.datasets.examples.example import Example, conversation, fence, prompt_code, prompt_text
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.parts.augment import KINDS, vary
from jobs.datasets.request import Stage1Request

Stage1 = Callable[..., Stage1Request]
WORDS = st.text(alphabet="abcXYZ :.,CWELanguageDescription", max_size=30)
CODE = st.text(alphabet="abc CWE:Language Fix\n(){}'\"", min_size=1, max_size=80)


@given(cwe=WORDS, description=WORDS, before=CODE, after=CODE, kind=st.sampled_from(sorted(KINDS)))
def test_only_prose_outside_fences_changes(
    cwe: str, description: str, before: str, after: str, kind: str
) -> None:
    facts: dict[str, str | None] = {"CWE": cwe, "Language": "php", "Description": description}
    prompt = prompt_text("Fix the vulnerability in this code.", facts, fence(before, "php"))
    example = Example(conversation(prompt, fence(after, "php")), {"groups": ["a"]})
    copy = vary(example, kind)
    if copy is None:
        return
    assert copy.answer == example.answer
    assert copy.prompt != example.prompt
    assert copy.prompt.partition("\n\n```")[2] == example.prompt.partition("\n\n```")[2]
    assert prompt_code(copy.prompt) == before
    assert copy.messages[0] == example.messages[0]
    assert copy.metadata == {"groups": ["a"], "augmented": kind}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_kind_makes_something_of_a_usual_prompt(kind: str) -> None:
    facts: dict[str, str | None] = {"CWE": "CWE-79", "Language": "php", "Description": "A flaw."}
    prompt = prompt_text("Fix the vulnerability in this code.", facts, fence("echo 1;", "php"))
    copy = vary(Example(conversation(prompt, fence("echo 2;", "php")), {"groups": []}), kind)
    assert copy is not None
    assert "CWE-79" in copy.prompt


@pytest.mark.slow
def test_copies_stand_in_train_only_each_beside_its_origin_and_are_counted(
    stage1: Stage1, made: SimpleNamespace
) -> None:
    request = stage1([made.crossvul_row(n) for n in range(20)], [], augmentation=2)
    stats = build_stage1(request, made.silent)
    rows = {part: made.read_lines(request.out / f"{part}.jsonl") for part in ("train", "valid", "test")}
    copies = [row for row in rows["train"] if "augmented" in row["metadata"]]
    origins = {row["messages"][2]["content"] for row in rows["train"] if "augmented" not in row["metadata"]}
    assert not any("augmented" in row["metadata"] for part in ("valid", "test") for row in rows[part])
    assert len(copies) == 2 * stats["unweighted_train_examples"]
    assert {row["messages"][2]["content"] for row in copies} == origins
    made_by_kind = Counter(row["metadata"]["augmented"] for row in copies)
    assert stats["augmentation"] == {
        "asked": 2,
        "made": {kind: made_by_kind[kind] for kind in KINDS},
        "not_made": 0,
    }
    assert stats["train_examples"] == len(rows["train"])
    assert stats["leakage"]["leaks"] == 0
    counter = TokenCounter(request.tokenizer)
    assert all(counter.total(row["messages"]) <= request.max_seq_length for row in copies)


@pytest.mark.slow
def test_a_copy_that_does_not_fit_is_not_made(stage1: Stage1, made: SimpleNamespace) -> None:
    plain = stage1([made.crossvul_row(n) for n in range(12)], [])
    longest = build_stage1(plain, made.silent)["token_lengths"]["max"]
    request = stage1([made.crossvul_row(n) for n in range(12)], [], augmentation=4, max_seq_length=longest)
    stats = build_stage1(request, made.silent)
    assert stats["augmentation"]["not_made"] > 0
    counter = TokenCounter(request.tokenizer)
    rows = made.read_lines(request.out / "train.jsonl")
    assert max(counter.total(row["messages"]) for row in rows) <= longest


def test_none_is_made_unless_asked_for(stage1: Stage1, made: SimpleNamespace) -> None:
    stats = build_stage1(stage1([made.crossvul_row(n) for n in range(3)], []), made.silent)
    assert sum(stats["augmentation"]["made"].values()) == 0
