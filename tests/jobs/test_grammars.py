"""One table of grammars: what it says is in the grammars, and both who find definitions by it agree."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tree_sitter import Language

from jobs.datasets.examples.languages import language_of_name, language_of_path
from jobs.datasets.public.enclosing import finder
from jobs.findings.source import enclosing
from jobs.grammars import GRAMMARS, Grammar, grammar_of_path

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=lambda grammar: grammar.language)
def test_every_node_type_of_the_table_is_one_of_its_grammar(grammar: Grammar) -> None:
    language = Language(getattr(importlib.import_module(grammar.package), grammar.symbol)())
    types = {
        language.node_kind_for_id(number)
        for number in range(language.node_kind_count)
        if language.node_kind_is_named(number)
    }
    named = grammar.functions | grammar.function_values | grammar.classes | grammar.wrappers
    assert named <= types
    assert not grammar.functions & grammar.function_values
    assert not grammar.functions & grammar.classes


def test_no_suffix_file_name_or_word_means_two_languages() -> None:
    for kind in ("suffixes", "file_names", "words"):
        every = [name for grammar in GRAMMARS.values() for name in getattr(grammar, kind)]
        assert len(every) == len(set(every))
        assert all(name == name.lower() for name in every)


def test_every_grammar_that_is_installed_is_in_the_table() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    installed = {
        name.partition(">")[0].replace("-", "_")
        for name in project["dependencies"]
        if name.startswith("tree-sitter-")
    }
    assert {grammar.package for grammar in GRAMMARS.values()} == installed


@pytest.mark.slow
def test_nothing_is_loaded_before_a_text_is_parsed() -> None:
    code = """
import sys
import jobs.findings.parse, jobs.findings.source.enclosing, jobs.datasets.fixes.render
from jobs.datasets.examples.languages import language_of_path
assert language_of_path("a.tf") == "hcl"
assert not [name for name in sys.modules if name.startswith("tree_sitter")]
from jobs.datasets.examples.syntax import faults
assert faults("a = 1", "python") == 0
print(sorted(name for name in sys.modules if name.startswith("tree_sitter_") and "." not in name))
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['tree_sitter_python']"


# What one of the two former tables knew and the other did not, and what neither did: language, file, code
# with the line to look at marked by HERE, kind, name, first and last line.
DEFINITIONS = [
    ("csharp", "A.cs", "struct S {\n  int x;\n  int y; // HERE\n}\n", "class", "S", 1, 4),
    ("csharp", "A.cs", "class A {\n  ~A() {\n    Free(); // HERE\n  }\n}\n", "function", "A", 2, 4),
    (
        "csharp",
        "A.cs",
        "class A {\n  void F() {\n    int G() {\n      return 1; // HERE\n    }\n  }\n}\n",
        "function",
        "G",
        3,
        5,
    ),
    ("java", "A.java", "record A(int x) {\n  A {\n    check(x); // HERE\n  }\n}\n", "function", "A", 2, 4),
    (
        "kotlin",
        "a.kt",
        "class A {\n  companion object Keys {\n    val k = 1 // HERE\n  }\n}\n",
        "class",
        "Keys",
        2,
        4,
    ),
    ("ruby", "a.rb", "module Auth\n  KEY = 1 # HERE\nend\n", "class", "Auth", 1, 3),
    ("rust", "a.rs", "enum Kind {\n  Weak, // HERE\n  Strong,\n}\n", "class", "Kind", 1, 4),
    ("go", "a.go", "package a\n\ntype Session struct {\n\tkey int // HERE\n}\n", "class", "Session", 3, 5),
    ("go", "a.go", "package a\n\ntype Session struct { // HERE\n\tkey int\n}\n", "class", "Session", 3, 5),
    (
        "go",
        "a.go",
        "package a\n\ntype (\n\tOne struct {\n\t\tx int\n\t}\n\tTwo struct {\n\t\ty int // HERE\n\t}\n)\n",
        "class",
        "Two",
        7,
        9,
    ),
    (
        "typescript",
        "a.mts",
        "abstract class Login {\n  abstract key: string; // HERE\n}\n",
        "class",
        "Login",
        1,
        3,
    ),
    ("typescript", "a.ts", "namespace Auth {\n  const key = 1; // HERE\n}\n", "class", "Auth", 1, 3),
    ("javascript", "a.js", "export function sign(x) { // HERE\n  go(x);\n}\n", "function", "sign", 1, 3),
    ("python", "a.pyi", "@route('/x') # HERE\ndef show():\n    return 1\n", "function", "show", 1, 3),
    ("bash", "a.sh", "sign() {\n  go $1 # HERE\n}\n", "function", "sign", 1, 3),
    ("groovy", "Jenkinsfile", "def sign(x) {\n  go(x) // HERE\n}\n", "function", "sign", 1, 3),
    ("php", "a.phtml", "<?php\nfunction sign($x) {\n  go($x); // HERE\n}\n", "function", "sign", 2, 4),
    ("cpp", "a.hxx", "struct A {\n  int x;\n  int y; // HERE\n};\n", "class", "A", 1, 4),
]


@pytest.mark.parametrize(("language", "name", "code", "kind", "found", "first", "last"), DEFINITIONS)
def test_findings_and_training_data_find_the_same_definition(
    language: str, name: str, code: str, kind: str, found: str, first: int, last: int
) -> None:
    line = 1 + next(number for number, text in enumerate(code.split("\n")) if "HERE" in text)
    context = enclosing.enclosing(enclosing.SourceFile(name, code.encode()), line, line)
    assert context is not None
    assert (context.kind, context.name, context.start_line, context.end_line) == (kind, found, first, last)
    around = finder(code, language)
    assert around is not None
    assert around(line, line) == (first, last)


def test_a_finding_over_a_decorated_function_is_in_that_function() -> None:
    code = "class A:\n    @route('/x')\n    def show(self):\n        return 1\n\n    key = 1\n"
    context = enclosing.enclosing(enclosing.SourceFile("a.py", code.encode()), 2, 4)
    assert context is not None
    assert (context.kind, context.name, context.start_line, context.end_line) == ("function", "show", 2, 4)


def test_a_constructor_without_a_name_is_a_definition_where_no_name_is_needed() -> None:
    code = "class A(val x: Int) {\n  constructor(y: String) : this(1) {\n    check(y)\n  }\n}\n"
    around = finder(code, "kotlin")
    assert around is not None
    assert around(3, 3) == (2, 4)
    context = enclosing.enclosing(enclosing.SourceFile("a.kt", code.encode()), 3, 3)
    assert context is not None
    assert (context.kind, context.name) == ("class", "A")


def test_a_function_value_is_a_finding_s_context_and_no_window_of_training_data() -> None:
    code = "function out() {\n  const sign = (x) => {\n    go(x);\n  };\n}\n"
    context = enclosing.enclosing(enclosing.SourceFile("a.js", code.encode()), 3, 3)
    assert context is not None
    assert (context.kind, context.name, context.start_line) == ("function", "sign", 2)
    around = finder(code, "javascript")
    assert around is not None
    assert around(3, 3) == (1, 5)


def test_a_block_is_a_definition_in_terraform_alone() -> None:
    terraform = 'resource "a" "b" {\n  encrypted = false\n}\n'
    around = finder(terraform, "hcl")
    assert around is not None
    assert around(2, 2) == (1, 3)
    # It has no name of its own, so a finding there keeps to its lines.
    assert enclosing.enclosing(enclosing.SourceFile("a.tf", terraform.encode()), 2, 2) is None
    java = finder("class A {\n  void f() {\n    {\n      go();\n    }\n  }\n}\n", "java")
    assert java is not None
    assert java(4, 4) == (2, 6)


def test_a_whole_python_module_is_no_definition() -> None:
    around = finder("a = 1\nb = 2\n", "python")
    assert around is not None
    assert around(1, 2) is None


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a.pyi", "python"),
        ("a.mts", "typescript"),
        ("a.cts", "typescript"),
        ("a.hxx", "cpp"),
        ("A.PY", "python"),
        ("a.h", "c"),
        ("Gemfile", "ruby"),
        ("x/Jenkinsfile", "groovy"),
        ("main.tf", "hcl"),
        ("deploy.sh", "bash"),
    ],
)
def test_a_file_has_one_language_for_findings_and_training_data(path: str, language: str) -> None:
    grammar = grammar_of_path(path)
    assert grammar is not None
    assert grammar.language == language
    assert language_of_path(path) == language


def test_files_without_a_grammar_still_have_a_language() -> None:
    assert grammar_of_path("a.sql") is None
    assert [language_of_path(name) for name in ("a.sql", "Makefile", "x.Dockerfile", "a.zzz")] == [
        "sql",
        "makefile",
        "dockerfile",
        None,
    ]
    assert [language_of_name(name) for name in ("C++", "Golang", "Terraform", "Perl", "unknown")] == [
        "cpp",
        "go",
        "hcl",
        "perl",
        None,
    ]
