"""The gate: hand-made bad fixes are refused by name, and quality is what the parser can vouch for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.examples.quality import Pair, advice_refusal, judge
from jobs.datasets.examples.syntax import faults

PROMPT = "Fix the problem that the scanner reports.\nProblem: The digest can be forged by anybody.\n\n```\n"


@pytest.mark.parametrize(
    ("before", "after", "tag", "refusal"),
    [
        ("a = md5(b)", "a = sha256(b)  # TODO: salt", "python", "answer_holds_todo"),
        ("a = md5(b)", "a = sha256(b)  # FIXME", "python", "answer_holds_todo"),
        ("a = md5(b)", "a  =  md5( b )", "python", "no_op"),
        ("a = md5(b)", "", "python", "empty_side"),
        ("a = md5(b)", "```\na = sha256(b)\n```", "python", "holds_a_fence"),
        ("a = md5(b)", "a = sha256(b)  # CVE-2031-12345", "python", "answer_names_a_cve"),
        ("a = md5(b)", "# The digest can be forged by anybody.\na = sha256(b)", "python", "restates_prompt"),
        ("a = md5(b)", "a = sha256(b", "python", "fix_does_not_parse"),
        ("if a:\n    b()", "if a:\nb(", "python", "fix_does_not_parse"),
        ('{"a": 1}', '{"a": 2,}', "json", "fix_does_not_parse"),
        ("a: 1", "a: [1", "yaml", "fix_does_not_parse"),
        ("a: 1\nb: 2", "a: 1\n b: 3", "yaml", "fix_does_not_parse"),
        ("a = 1", "a = ", "toml", "fix_does_not_parse"),
        ("<a>1</a>", "<a>2</b>", "xml", "fix_does_not_parse"),
        ("<a>1</a>", '<!DOCTYPE a [<!ENTITY e "2">]><a>&e;</a>', "xml", "fix_does_not_parse"),
        ('a "b" {\n  c = 1\n}', 'a "b" {\n  c = \n}', "hcl", "fix_does_not_parse"),
        ("var a = b;", "var a = ;", "javascript", "fix_does_not_parse"),
        ("let a: string = b;", "let a: = c;", "typescript", "fix_does_not_parse"),
        ("int a = 1;", "int a = (1;", "c", "fix_does_not_parse"),
        ("int a = f();", "int a = f(;", "java", "fix_does_not_parse"),
        ("val a = f()", "val a = f(", "kotlin", "fix_does_not_parse"),
        ("a := f()", "a := f(", "go", "fix_does_not_parse"),
        ("$a = f();", "$a = f(;", "php", "fix_does_not_parse"),
        ("<?php $a = f();", "<?php $a = f(;", "php", "fix_does_not_parse"),
        ("a = f(1)", "a = f(1", "ruby", "fix_does_not_parse"),
        ("let a = f();", "let a = f(;", "rust", "fix_does_not_parse"),
        ("USER root", "BECOME nobody", "dockerfile", "fix_does_not_parse"),
        ("RUN a", "RUN a && \\", "dockerfile", "fix_does_not_parse"),
        ("listen 80;", "listen 443 ssl", "nginx", "fix_does_not_parse"),
        ("flask==1.0", "flask=1.1", "requirements", "fix_does_not_parse"),
        ("require a.b/c v1.0.0", "require a.b/c", "go.mod", "fix_does_not_parse"),
    ],
)
def test_a_bad_fix_is_refused_by_its_reason(before: str, after: str, tag: str, refusal: str) -> None:
    assert judge(Pair(before, after, tag), f"{PROMPT}{before}\n```", "high").refusal == refusal


@pytest.mark.parametrize(
    ("before", "after", "tag", "quality"),
    [
        ("a = md5(b)", "a = sha256(b)", "python", "high"),
        ("    elif a:\n        md5(b)", "    elif a:\n        sha256(b)", "python", "standard"),
        ("digest = md5", "digest = sha256", "cobol", "standard"),
        ("digest = md5", "digest = sha256", None, "standard"),
        ("FROM a\nRUN <<EOF\nmd5 b\nEOF", "FROM a\nRUN <<EOF\nsha b\nEOF", "dockerfile", "high"),
    ],
)
def test_only_code_that_is_seen_to_parse_is_of_high_quality(
    before: str, after: str, tag: str | None, quality: str
) -> None:
    verdict = judge(Pair(before, after, tag), f"{PROMPT}{before}\n```", "high")
    assert (verdict.refusal, verdict.quality) == (None, quality)
    assert judge(Pair(before, after, tag), f"{PROMPT}{before}\n```", "standard").quality == "standard"


def test_a_whole_document_must_parse_even_where_its_input_did_not() -> None:
    pair = Pair('{"a": 1,', '{"a": 2,', "json")
    assert judge(pair, PROMPT, "high").refusal is None
    whole = Pair(pair.before, pair.after, "json", is_whole=True)
    assert judge(whole, PROMPT, "high").refusal == "fix_does_not_parse"


def test_what_the_prompt_requires_may_stand_in_the_fix() -> None:
    prompt = "Fix it.\nRequired: storage_encrypted = true_and_always\n\n```\n"
    pair = Pair("storage_encrypted = 0", "storage_encrypted = true_and_always", None)
    assert judge(pair, prompt, "standard").refusal is None


@pytest.mark.parametrize(
    ("advice", "refusal"),
    [
        ("", "empty_side"),
        ("Use it.", "empty_side"),
        ("The digest can be\nforged by anybody.", "restates_prompt"),
        ("Use ```sha256``` in the place of it, everywhere.", "holds_a_fence"),
        ("TODO: write down what has to be done about it.", "answer_holds_todo"),
        ("Use a keyed digest and compare it in constant time.", None),
    ],
)
def test_advice_has_a_gate_of_its_own(advice: str, refusal: str | None) -> None:
    assert advice_refusal(PROMPT, advice) == refusal


@given(
    st.text(max_size=60),
    st.sampled_from(
        [
            "json",
            "yaml",
            "toml",
            "xml",
            "dockerfile",
            "nginx",
            "requirements",
            "go.mod",
            "properties",
            "hcl",
            "python",
        ]
    ),
)
def test_any_text_gets_a_count_and_no_error(text: str, tag: str) -> None:
    found = faults(text, tag)
    assert found is not None
    assert found >= 0
