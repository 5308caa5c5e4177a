"""Enclosing definitions: a window is the whole function where it is known, and never more than fits."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from jobs.datasets.build import build_stage1
from jobs.datasets.examples.diff import ChangeGroup, groups_of_pair
from jobs.datasets.examples.example import fenced_code, prompt_code
from jobs.datasets.public.enclosing import finder
from jobs.datasets.request import Stage1Request

PYTHON = """\
import db


class Shop:
    label = "shop"

    @cached
    def find(self, name):
        first = 1
        second = 2
        third = 3
        return db.run("select " + name)

    def other(self):
        return 2


TOP = 1
"""
FIXED = PYTHON.replace('db.run("select " + name)', 'db.run("select ?", name)')


def only(before: str, after: str, language: str, context: int = 1) -> ChangeGroup:
    (group,) = groups_of_pair(before, after, context, finder(before, language))
    return group


def test_the_window_is_the_whole_function_with_its_decorator() -> None:
    definition = only(PYTHON, FIXED, "python").definition
    assert definition is not None
    assert definition.before.split("\n")[0] == "    @cached"
    assert definition.before.split("\n")[-1] == '        return db.run("select " + name)'
    assert definition.after == definition.before.replace('"select " + name', '"select ?", name')
    assert definition.start_line == 7
    assert PYTHON.replace(definition.before, definition.after) == FIXED


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("c", "int a;\n\nint f(int x)\n{\n    return x;\n}\n\nint b;\n"),
        ("php", "<?php\n\nfunction f($x) {\n    return $x;\n}\n\n$y = 1;\n"),
        ("java", "class A {\n\n    int f(int x) {\n        return x;\n    }\n\n    int y;\n}\n"),
        ("javascript", "let a = 1;\n\nfunction f(x) {\n    return x;\n}\n\nlet b = 1;\n"),
        ("typescript", "let a = 1;\n\nfunction f(x: number) {\n    return x;\n}\n\nlet b = 1;\n"),
        ("go", "package a\n\nfunc f(x int) int {\n    return x\n}\n\nvar y = 1\n"),
        ("ruby", "require 'a'\n\ndef f(x)\n    return x\nend\n\nputs 1\n"),
        ("rust", "use a;\n\nfn f(x: i32) -> i32 {\n    return x;\n}\n\nconst Y: i32 = 1;\n"),
    ],
)
def test_each_grammar_finds_the_function_around_a_line(language: str, code: str) -> None:
    fixed = code.replace("return x", "return x + 1").replace("return $x", "return 1")
    definition = only(code, fixed, language).definition
    assert definition is not None
    lines = definition.before.split("\n")
    assert 2 < len(lines) <= 5
    assert "f(" in lines[0]


def test_an_insertion_belongs_to_the_function_that_both_its_neighbours_stand_in() -> None:
    inside = only(PYTHON, PYTHON.replace("        third", "        check(name)\n        third"), "python")
    assert inside.definition is not None
    assert "check(name)" in inside.definition.after
    assert "check(name)" not in inside.definition.before
    outside = only(PYTHON, PYTHON.replace("TOP = 1", "TOP = 1\nMORE = 2"), "python")
    assert outside.definition is None


def test_a_function_with_another_change_far_away_is_not_shown_half_fixed() -> None:
    body = [f"    step({number})" for number in range(40)]
    before = "\n".join(["def f():", *body])
    after = before.replace("step(3)", "safe(3)").replace("step(33)", "safe(33)")
    groups = groups_of_pair(before, after, 2, finder(before, "python"))
    assert [group.definition for group in groups] == [None, None]


def test_a_language_without_a_grammar_and_a_function_too_long_have_none() -> None:
    assert finder("x", None) is None
    assert finder("x", "cobol") is None
    long = "\n".join(["def f():", *(f"    step({number})" for number in range(400))])
    assert only(long, long.replace("step(7)", "safe(7)"), "python").definition is None


def test_a_group_with_a_definition_survives_json() -> None:
    group = only(PYTHON, FIXED, "python")
    assert ChangeGroup.from_json(group.to_json()) == group


@pytest.mark.slow
def test_a_build_shows_the_whole_function_where_it_fits_and_fewer_lines_where_not(
    stage1: Callable[..., Stage1Request], made: SimpleNamespace
) -> None:
    rows = [made.crossvul_row(n) for n in range(6)]
    wide = stage1(rows, [], context_lines=2)
    build_stage1(wide, made.silent)
    codes = [prompt_code(row["messages"][1]["content"]) for row in made.read_lines(wide.out / "train.jsonl")]
    assert all(code.startswith("function show_") and code.endswith("}") for code in codes)
    narrow = stage1(rows, [], context_lines=2, max_seq_length=520)
    stats = build_stage1(narrow, made.silent)
    assert stats["total_examples"] == 6
    for row in made.read_lines(narrow.out / "train.jsonl"):
        prompt, answer = row["messages"][1]["content"], row["messages"][2]["content"]
        assert not prompt_code(prompt).startswith("function")
        assert "Inside: function show_" in prompt
        assert "htmlspecialchars" in fenced_code(answer)


def test_a_fix_that_breaks_the_syntax_is_dropped(
    stage1: Callable[..., Stage1Request], made: SimpleNamespace
) -> None:
    rows = [made.crossvul_row(n) for n in range(3)]
    rows[0]["fixed_code"] = rows[0]["fixed_code"].replace("ENT_QUOTES);", "ENT_QUOTES;")
    stats = build_stage1(stage1(rows, []), made.silent)
    assert stats["dropped"] == {"fix_does_not_parse": 1}
