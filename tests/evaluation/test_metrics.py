from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.evaluation.bleu import bleu4
from jobs.evaluation.cases import EvaluationCase, ModelAnswer
from jobs.evaluation.fences import code_blocks, fence_text
from jobs.evaluation.metrics import (
    AnswerScores,
    aggregate,
    breakdown,
    copies_vulnerable,
    edit_similarity,
    exact_match,
    extract_code,
    normalised_match,
    parses,
    score_answer,
    wilson_interval,
)
from jobs.evaluation.normalise import normalise
from jobs.evaluation.retention import retention_rate

texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80)
code_like = st.text(alphabet="ab `~\n\r\t#/*'\"-", max_size=60)
counts = st.integers(0, 5000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


def verdict(exact: bool = False, **changes: object) -> AnswerScores:
    fields: dict[str, object] = {
        "exact": exact,
        "normalised": exact,
        "similarity": 1.0 if exact else 0.5,
        "bleu4": 1.0 if exact else 0.25,
        "parses": True,
        "copied": False,
        "truncated": False,
        "finished": True,
        "tokens": 10,
    }
    return AnswerScores(**{**fields, **changes})  # type: ignore[arg-type]


@given(code_like | texts, st.sampled_from(["", "python", "c++"]))
def test_any_code_put_in_a_fence_is_found_again_unchanged(code: str, info: str) -> None:
    assert extract_code(f"Here it is:\n\n{fence_text(code, info)}\n\nDone.") == code


@given(code_like | texts)
def test_a_text_without_a_fence_is_its_own_code_stripped(text: str) -> None:
    if not code_blocks(text):
        assert extract_code(text) == text.strip()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("```js\na\n```\nthen\n```\nb\n```", "a"),
        ("~~~\na\n~~~", "a"),
        ("````md\n```\nx\n```\n````", "```\nx\n```"),
        ("```py\nnever closed\nx", "never closed\nx"),
        ("1. so:\n   ```py\n   if x:\n       y\n   ```", "if x:\n    y"),
        ("```\nfirst\n\n\n```", "first\n\n"),
        ("inline ```x``` is no fence", "inline ```x``` is no fence"),
        ("```\r\na\r\n```\r\n", "a\r"),
        ("", ""),
    ],
)
def test_the_code_of_an_answer_is_its_first_fence(answer: str, code: str) -> None:
    assert extract_code(answer) == code


def test_prose_around_the_code_and_newlines_after_it_do_not_count() -> None:
    assert exact_match("Fixed:\n```py\nx = 1\n\n```\nGood luck.", "```python\nx = 1\n```")
    assert not exact_match("```py\n x = 1\n```", "```py\nx = 1\n```")
    assert not exact_match("```py\nx = 1 \n```", "```py\nx = 1\n```")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("java", "int x = 1; // one\n\n/* two\nlines */\n  return  x;", "int x = 1;\nreturn x;"),
        ("python", "x = 1  # one\n\nif x:\n    y()", "x = 1\nif x:\n    y()"),
        ("Python", 's = "# kept"  # gone', 's = "# kept"'),
        ("bash", "# gone\necho $#  # too", "echo $#"),
        ("sql", "SELECT 1 -- one\n", "SELECT 1"),
        ("html", "<a>\n<!-- gone\n -->\n</a>", "<a>\n</a>"),
        ("php", "# a\n$x = 1; // b", "$x = 1;"),
        ("hcl", "a = 1 # x\n// y\nb = 2", "a = 1\nb = 2"),
        (None, "a   b\n\n\nc", "a b\nc"),
    ],
)
def test_comments_blank_lines_and_white_space_do_not_count_in_a_normalised_match(
    language: str | None, one: str, other: str
) -> None:
    assert normalised_match(fence_text(one), fence_text(other), language)
    assert not exact_match(fence_text(one), fence_text(other))


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("javascript", 'fetch("http://a")', 'fetch("http://b")'),
        ("kotlin", 'val s = """// a"""', 'val s = """// b"""'),
        ("python", "if x:\n    y()\nz()", "if x:\n    y()\n    z()"),
        ("c", "#define A 1", "#define A 2"),
        ("bash", "echo ${#a}", "echo ${#b}"),
        ("css", "a { color: #fff }", "a { color: #000 }"),
        ("klingon", "a // b", "a // c"),
        ("java", "return x;", "returnx;"),
    ],
)
def test_what_only_looks_like_a_comment_or_white_space_counts(language: str, one: str, other: str) -> None:
    assert not normalised_match(fence_text(one), fence_text(other), language)


@given(code_like, st.sampled_from(["python", "java", "php", "bash", "html", "unknown", None]))
def test_an_exact_match_is_always_a_normalised_match(code: str, language: str | None) -> None:
    assert normalised_match(fence_text(code), fence_text(code), language)


@given(code_like, st.sampled_from(["xml", "unknown", None]))
def test_folding_white_space_again_changes_nothing(code: str, language: str | None) -> None:
    once = normalise(code, None)
    assert normalise(once, None) == once
    assert "  " not in normalise(code, language)


@given(code_like | texts, code_like | texts)
def test_similarity_lies_between_0_and_1_and_is_1_for_the_same(one: str, other: str) -> None:
    assert 0.0 <= edit_similarity(fence_text(one), fence_text(other)) <= 1.0
    assert edit_similarity(fence_text(one), fence_text(one)) == 1.0


def test_a_small_edit_is_more_similar_than_another_program() -> None:
    reference = fence_text("if (user != null && user.id == id) { return load(id); }")
    near = edit_similarity(fence_text("if (user.id == id) { return load(id); }"), reference)
    assert near > 0.8
    assert edit_similarity(fence_text("print(1)"), reference) < 0.3


def test_copying_the_vulnerable_code_is_recognised() -> None:
    prompt = f"CWE-79. Fix this:\n\n{fence_text('show(raw)', 'js')}"
    assert copies_vulnerable("```js\nshow(raw)\n```", prompt) is True
    assert copies_vulnerable("```js\nshow(escape(raw))\n```", prompt) is False
    assert copies_vulnerable("```js\nshow(raw)\n```", "no code here") is None


def test_a_judged_answer_speaks_the_language_of_its_case() -> None:
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": fence_text("a(b)")}]
    case = EvaluationCase("c1", turns, fence_text("a(c)"), {"language": "python"})
    judged = score_answer(case, ModelAnswer(fence_text("a(c)  # safe"), tokens=7, truncated=True))
    assert (judged.exact, judged.normalised, judged.copied) == (False, True, False)
    assert (judged.truncated, judged.finished, judged.tokens) == (True, None, 7)


@given(counts)
def test_wilsons_interval_holds_the_share_and_lies_between_0_and_1(count: tuple[int, int]) -> None:
    successes, total = count
    interval = wilson_interval(successes, total)
    if total == 0:
        assert interval is None
    else:
        assert interval is not None
        assert 0.0 <= interval[0] <= successes / total <= interval[1] <= 1.0
        assert interval[0] < interval[1]


def test_wilsons_interval_is_the_known_one() -> None:
    # by hand for 1 of 10: (0.1 + z2/20 -+ z * sqrt(0.009 + z2/400)) / (1 + z2/10), z2 = 3.8415
    assert wilson_interval(1, 10) == pytest.approx((0.01788, 0.40415), abs=1e-5)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)
    with pytest.raises(ValueError):
        wilson_interval(3, 2)


def test_scores_over_several_answers_are_percentages_with_intervals() -> None:
    figures = aggregate([verdict(True), verdict(), verdict(copied=True), verdict(truncated=True)])
    assert (figures["total_examples"], figures["exact_matches"]) == (4, 1)
    assert figures["exact_match_percentage"] == 25.0
    assert figures["exact_match_interval_95"][0] < 25.0 < figures["exact_match_interval_95"][1]
    assert figures["avg_edit_similarity"] == pytest.approx(0.625)
    assert (figures["copied_percentage"], figures["truncated_percentage"]) == (25.0, 25.0)
    assert figures["avg_codebleu"] is None


def test_without_cases_every_score_is_none_and_every_count_0() -> None:
    figures = aggregate([])
    assert {key: value for key, value in figures.items() if value is not None} == {
        "total_examples": 0,
        "exact_matches": 0,
        "normalised_matches": 0,
    }


def test_what_was_not_told_is_left_out_of_its_mean() -> None:
    figures = aggregate([verdict(copied=None, tokens=None), verdict(copied=True, tokens=4)])
    assert (figures["copied_percentage"], figures["avg_tokens"]) == (100.0, 4.0)
    assert aggregate([verdict(copied=None, tokens=None)])["copied_percentage"] is None


def test_scores_are_broken_down_by_what_is_known_of_the_cases() -> None:
    judged: list[tuple[dict[str, object], AnswerScores]] = [
        ({"source": "crossvul", "cwe_id": "CWE-79"}, verdict(True)),
        ({"source": "crossvul", "cwe_id": None}, verdict()),
        ({"source": "cvefixes", "cwe_id": ["CWE-79", "CWE-89"]}, verdict()),
    ]
    parts = breakdown(judged)
    assert set(parts) == {"source", "cwe_id"}
    assert {value: figures["total_examples"] for value, figures in parts["cwe_id"].items()} == {
        "CWE-79": 2,
        "CWE-89": 1,
        "unknown": 1,
    }
    assert parts["source"]["crossvul"]["exact_match_percentage"] == 50.0


@pytest.mark.parametrize(
    ("stage1", "stage2", "rate"),
    [(4, 3, 75.0), (4, 0, 0.0), (2, 3, 150.0), (0, 3, None), (None, 3, None), (4, None, None)],
)
def test_retention_is_what_stage_2_keeps_of_what_stage_1_could(
    stage1: int | None, stage2: int | None, rate: float | None
) -> None:
    assert retention_rate(stage1, stage2) == rate


def test_a_negative_count_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="negative"):
        retention_rate(1, -1)


tokens = st.lists(st.sampled_from("a b c ( ) =".split()), max_size=12)  # noqa: SIM905


@given(tokens, tokens)
def test_bleu_is_between_0_and_1_and_1_for_the_same(answer: list[str], reference: list[str]) -> None:
    assert 0.0 <= bleu4(answer, reference) <= 1.0
    assert bleu4(answer, answer) == 1.0


def test_bleu_counts_by_hand() -> None:
    # 3 of 4 words, (1+1)/(3+1) pairs, (0+1)/(2+1) triples, (0+1)/(1+1) fours; no shortness
    expected = (3 / 4 * 2 / 4 * 1 / 3 * 1 / 2) ** 0.25
    assert bleu4(["a", "b", "x", "d"], ["a", "b", "c", "d"]) == pytest.approx(expected)
    # all n-grams are right, but two words are missing of four: e^(1 - 4/2)
    assert bleu4(["a", "b"], ["a", "b", "c", "d"]) == pytest.approx(2.718281828**-1)
    assert bleu4([], ["a"]) == 0.0
    assert bleu4(["a", "a"], ["a", "b"]) == pytest.approx((1 / 2 * 1 / 2 * 1 * 1) ** 0.25)


@pytest.mark.parametrize(
    ("answer", "reference", "language", "verdict"),
    [
        ("x = f(1)", "x = f(2)", "python", True),
        ("x = f((1", "x = f(2)", "python", False),
        ("    else:\n        y()", "    else:\n        z()", "python", True),  # no more than the reference
        ("", "x = 1", "python", False),
        ('```json\n{"a": 1}\n```', "{}", "json", True),
        ("{", "{}", "json", False),
        ("x", "y", "cobol", None),
        ("x", "y", None, None),
    ],
)
def test_an_answer_parses_if_it_has_no_more_faults_than_its_reference(
    answer: str, reference: str, language: str | None, verdict: bool | None
) -> None:
    assert parses(answer, reference, language) is verdict


def test_the_share_that_parses_is_of_those_that_a_parser_was_there_for() -> None:
    figures = aggregate([verdict(parses=True), verdict(parses=False), verdict(parses=None), verdict(True)])
    assert figures["parses_percentage"] == pytest.approx(200 / 3)
    assert figures["avg_bleu4"] == pytest.approx((3 * 0.25 + 1) / 4)
    assert aggregate([verdict(parses=None)])["parses_percentage"] is None
