"""Normalised matches: no two different programs are one, whatever a reader of code takes for a comment."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jobs.evaluation.code_readers import LANGUAGES, Span, find_here_documents, read_with_lexer
from jobs.evaluation.fences import fence_text
from jobs.evaluation.metrics import exact_match, normalised_match
from jobs.evaluation.normalise import normalise

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("jobs/findings/*/*.py"), *ROOT.glob("jobs/runs/*.py")])
SIGNS = [
    "#", "//", "/*", "*/", "--", "<!--", "-->", "'", '"', '"""', "`", "\\", "a", "1", "{", "}", "<<EOF",
    "EOF", "$", "|", "=begin", "=end", "<?php", "?>", "ü", "#[",
]  # fmt: skip
nasty = st.lists(st.sampled_from([*SIGNS, " ", "  ", "\n", "\t", "\r", "\u2028"]), max_size=25).map("".join)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        (
            "php",
            "#[IsGranted('ROLE_ADMIN')]\npublic function delete() { drop(); }",
            "#[IsGranted('ROLE_USER')]\npublic function delete() { drop(); }",
        ),
        (
            "javascript",
            "if (/^https?:\\/\\//.test(url)) allow(url);",
            "if (/^https?:\\/\\//.test(url)) deny(url);",
        ),
        (
            "bash",
            "cat > sshd_config <<EOF\n# PermitRootLogin yes\nEOF",
            "cat > sshd_config <<EOF\n# PermitRootLogin no\nEOF",
        ),
        (
            "yaml",
            "data:\n  sshd_config: |\n    # PermitRootLogin yes",
            "data:\n  sshd_config: |\n    # PermitRootLogin no",
        ),
    ],
)
def test_the_four_pairs_that_patterns_alone_took_for_equal(language: str, one: str, other: str) -> None:
    assert not normalised_match(fence_text(one), fence_text(other), language)
    assert not exact_match(fence_text(one), fence_text(other))


@given(nasty, st.sampled_from(sorted(LANGUAGES)))
def test_any_text_in_any_language_is_read_without_an_error(code: str, language: str) -> None:
    once = normalise(code, language)
    assert set(once) <= {*code, "\n", " "}


@given(nasty, st.sampled_from(["klingon", "powershell", None]))
def test_a_language_that_is_not_known_keeps_every_sign(code: str, language: str | None) -> None:
    assert "".join(normalise(code, language).split()) == "".join(code.split())


@pytest.mark.slow
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_program_without_its_comments_has_the_same_syntax_tree(path: Path) -> None:
    code = path.read_text(encoding="utf-8")
    bare = normalise(code, "python")
    assert ast.dump(ast.parse(bare)) == ast.dump(ast.parse(code))
    kinds = [token.type for token in tokenize.generate_tokens(io.StringIO(bare).readline)]
    assert tokenize.COMMENT not in kinds


def test_settings_without_their_comments_have_the_same_values() -> None:
    code = (ROOT / "config" / "defaults.yaml").read_text(encoding="utf-8")
    bare = normalise(code, "yaml")
    assert yaml.safe_load(bare) == yaml.safe_load(code)
    assert code.count("#") > 100
    assert "# " not in bare


@pytest.mark.parametrize(
    ("language", "code", "bare"),
    [
        ("python", "x  =  'a  b'  # c\n\n\n    # d\ny", "x = 'a  b'\ny"),
        (
            "python",
            'def f():\n    """a  b\n\n    c"""\n    return  1\n',
            'def f():\n    """a  b\n\n    c"""\n    return 1',
        ),
        ("java", "  int x;\t// a\r\n\r\n/* b */ int  y;\r\n", "int x;\nint y;"),
        ("javascript", "return /* a\n */ b", "return\nb"),
        ("html", "<b>a<!-- c -->  d</b>", "<b>a d</b>"),
        ("yaml", "a:   |  # b\n    c  d\n\n    e\n# f\n", "a: |\n    c  d\n\n    e"),
        ("yaml", "{{- if .x }}\n#  a\nb:  c\n", "{{- if .x }}\n#  a\nb:  c"),
        ("bash", "a   <<E\n  b  c\n\nE\n", "a <<E\n  b  c\n\nE"),
        ("klingon", "  a   // b\n\n", "a // b"),
    ],
)
def test_what_is_left_is_exactly_this(language: str, code: str, bare: str) -> None:
    assert normalise(code, language) == bare


def test_docstrings_are_values_and_types_in_comments_are_not() -> None:
    # A program can read its docstrings; nothing that runs reads a type comment or a linter's switch.
    assert normalise('"""one"""', "python") != normalise('"""two"""', "python")
    assert normalise("x = 1  # type: int", "python") == normalise("x = 1", "python")
    assert normalise("run(x)  # nosec B602", "python") == normalise("run(x)", "python")
    assert normalise("/// <summary>one", "csharp") == ""
    assert normalise("/// one\nfn f() {}", "rust") == "/// one\nfn f() {}"


def test_here_documents_end_where_the_shell_ends_them() -> None:
    code = "a <<'E F' <<-B # x\n1\nE F\n\t# 2\n\tB\nc <<\\Q\n3\nQX\nQ\nd $((1 << 2))\ne <<Z\n4"
    bodies = [code[start:stop] for start, stop in find_here_documents(code)]
    assert bodies == ["1\nE F", "\t# 2\n\tB", "3\nQX\nQ", "4"]


def test_the_lexer_alone_would_be_wrong() -> None:
    """What the second reader is for; a lexer that learns better may have its line taken out."""
    told = {
        "c": "#if 0\nguard();\n#endif\n",
        "jsx": "<p>// text</p>\n",
        "bash": "cat <<EOF\nEOFX\n# text\nEOF\n",
        "dockerfile": "COPY <<EOF /a\n# text\nEOF\n",
        "html": "<textarea><!-- text --></textarea>\n",
        "kotlin": 'val s = "${"// text"}"\n',
        "php": "<?php // c ?> <b>text</b>\n",
        "javascript": "if (a) /b\\/\\// .test(text)\n",
    }
    for language, code in told.items():
        comments = "".join(code[start:stop] for start, stop in read_with_lexer(code, language).comments)
        assert "text" in comments or "guard" in comments, language
        assert normalise(code, language).split() == code.split()


def test_a_span_is_told_in_characters() -> None:
    code = "ü = 'ä'  # ö\nx\n"
    assert read_with_lexer(code, "python").comments == [Span(9, 12)]
    assert normalise(code, "python") == "ü = 'ä'\nx"
