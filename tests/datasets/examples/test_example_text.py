"""Examples: what stands in a prompt, and that nothing is lost between fence and code."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.examples.example import (
    Example,
    conversation,
    fence,
    fenced_code,
    prompt_code,
    prompt_text,
    shorten,
)
from jobs.datasets.examples.quality import part_refusal, window_refusal
from jobs.datasets.examples.tokens import TokenCounter
from jobs.datasets.pool.offset_file import OffsetFile

CODE = st.text(st.characters(exclude_characters="`\r", exclude_categories=["Cs"]), min_size=1, max_size=80)


@given(code=CODE, fact=CODE)
def test_code_comes_out_of_a_fence_as_it_went_in(code: str, fact: str) -> None:
    prompt = prompt_text("Fix.", {"Description": shorten(fact), "CWE": None}, fence(code, "python"))
    assert fenced_code(fence(code, "python")) == code
    assert prompt_code(prompt) == code


def test_facts_that_are_not_known_are_left_out() -> None:
    assert (
        prompt_text("Fix.", {"CWE": None, "Language": "", "Rule": "r"}, "```\nx\n```")
        == "Fix.\nRule: r\n\n```\nx\n```"
    )


@given(text=st.text(max_size=900), limit=st.integers(20, 400))
def test_a_shortened_text_is_one_line_of_about_the_limit(text: str, limit: int) -> None:
    short = shorten(text, limit)
    assert "\n" not in short
    assert len(short) <= limit + len(" ...")


def test_a_long_description_ends_with_a_whole_sentence() -> None:
    assert (
        shorten("One is here. " * 9 + "The last one is cut", 60)
        == "One is here. One is here. One is here. One is here."
    )


def test_prose_beside_the_fence_is_no_answer() -> None:
    for text in ("Sure:\n```\nx\n```", "```\nx\n```\nDone.", "x"):
        with pytest.raises(ValueError, match="not one fenced block"):
            fenced_code(text)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("a()", "b()", None),
        ("", "b()", "empty_side"),
        ("a()", " \n", "empty_side"),
        ("a( b )\n", "a(b)", "no_op"),
        ("a()", "```\nb\n```", "holds_a_fence"),
        ("a()", "b()  # FIXME", "answer_holds_todo"),
        ("a()", "b()  // cve-2020-12345", "answer_names_a_cve"),
    ],
)
def test_the_gate_names_its_reason(before: str, after: str, reason: str | None) -> None:
    assert window_refusal(before, after) == reason


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (["import os", "from a.b import c", ""], "imports_only"),
        (["#include <stdio.h>"], "imports_only"),
        (['\t"net/http"', 'import "strings"'], "imports_only"),
        (["const { a } = require('b');", "use App\\Model;"], "imports_only"),
        (["require 'cgi'", "require_once('x.php');"], "imports_only"),
        (["import os", "os.run(name)"], None),
        (["useful(x)", "imported = 1"], None),
        (['call("a")'], None),
    ],
)
def test_a_part_of_a_fix_that_only_imports_cannot_stand_alone(changed: list[str], reason: str | None) -> None:
    assert part_refusal(changed) == reason


def test_an_example_is_the_same_after_a_trip_through_json_and_through_an_offset_file(tmp_path: Path) -> None:
    examples = [Example(conversation(f"p{n}", "a\u2028ü"), {"groups": ["g"], "n": n}) for n in range(3)]
    with closing(OffsetFile(tmp_path / "examples.jsonl")) as kept:
        offsets = [kept.append(example.to_json()) for example in examples]
        found = [Example.from_json(kept.read(offset)) for offset in reversed(offsets)]
        assert [Example.from_json(value) for value in kept] == examples
    assert found == examples[::-1]


def test_tokens_are_those_of_the_chat_template_with_the_whole_answer(tokenizer: Path) -> None:
    counter = TokenCounter(tokenizer)
    short, long = conversation("amber", "birch"), conversation("amber", "birch birch birch")
    assert counter.template_name == "chatml"
    assert counter.count(short)[0] == counter.count(long)[0] < counter.count(short)[1] < counter.total(long)
