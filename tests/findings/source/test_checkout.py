from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs import grammars
from jobs.errors import OperatorError
from jobs.findings.model.finding import Finding, Location
from jobs.findings.parse import Limits, Parsed, parse_paths
from jobs.findings.source import checkout, enclosing

LOGIN = '''import os


class Session:
    """One."""

    @property
    def challenge(self):
        # fixed
        value = "für"
        return b"constant"


def after():
    return 1
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "login.py").write_text(LOGIN, encoding="utf-8")
    (tmp_path / "outside.py").write_text("secret = 1\n")
    return folder


def finding(path: str, line: int | None = 11, snippet: tuple[tuple[int, str], ...] = ()) -> Finding:
    place = Location(path, line, line, snippet=snippet, valid=line is not None)
    return Finding("f", "semgrep", "json", "r", "t", location=place)


def placed(path: str, root: Path, **more: Any) -> Location:
    (found,), _ = checkout.add_context([finding(path, **more)], root)
    assert found.location is not None
    return found.location


@pytest.mark.parametrize(
    "path",
    [
        "src/login.py",
        "./src/login.py",
        "/src/login.py",
        "src\\login.py",
        "/home/runner/work/app/app/src/login.py",
        "/Users/runner/work/app/app/src/login.py",
        "D:\\a\\app\\app\\src\\login.py",
        "/builds/group/app/src/login.py",
        "/builds/group/team/app/src/login.py",
        "/github/workspace/src/login.py",
        "/src/src/login.py",
        "file:///src/src/login.py",
        "/__w/app/app/src/login.py",
        "/home/vsts/work/1/s/src/login.py",
        "/home/circleci/project/src/login.py",
        "/var/jenkins_home/workspace/app/src/login.py",
        "/codebuild/output/src123/src/github.com/group/app/src/login.py",
        "/somewhere/else/src/login.py",
    ],
)
def test_the_paths_of_build_servers_lead_to_the_checkout_s_file(root: Path, path: str) -> None:
    place = placed(path, root)
    assert place.path == path, "the report's own words stay"
    assert place.snippet == ((11, '        return b"constant"'),)


def test_an_absolute_path_below_the_checkout_itself_is_found(root: Path) -> None:
    assert placed(str(root.resolve() / "src" / "login.py"), root).snippet


@pytest.mark.parametrize(
    "path",
    [
        "../outside.py",
        "src/../../outside.py",
        "/outside.py",
        "link.py",
        "folder/login.py",
        "src",
        "pipe",
        "big.py",
        "https://example.org/src/login.py",
        "src/no\0name.py",
        "",
        "binary.py",
        "src/login.py/x",
    ],
)
def test_nothing_outside_the_checkout_and_no_link_is_ever_read(root: Path, path: str) -> None:
    (root / "link.py").symlink_to(root.parent / "outside.py")
    (root / "folder").symlink_to(root / "src")
    os.mkfifo(root / "pipe")
    (root / "big.py").write_bytes(b"#" * (checkout.MAX_SOURCE_BYTES + 1))
    (root / "binary.py").write_bytes(b"a\0b\n" * 20)
    place = placed(path, root, line=1)
    assert (place.snippet, place.context) == ((), None)


def test_what_encloses_a_place_is_found_with_its_decorator_and_its_name(root: Path) -> None:
    context = placed("src/login.py", root).context
    assert context is not None
    assert (context.kind, context.name, context.path) == ("function", "challenge", "src/login.py")
    assert (context.start_line, context.end_line) == (7, 11)
    assert str(context.code).startswith("    @property\n    def challenge")
    outer = placed("src/login.py", root, line=5).context
    assert outer is not None
    assert (outer.kind, outer.name) == ("class", "Session")
    assert placed("src/login.py", root, line=1).context is None


@pytest.mark.parametrize(
    ("name", "code", "kind", "found"),
    [
        ("a.js", "const login = async (x) => {\n  go(x);\n};\n", "function", "login"),
        ("a.ts", "export class Login {\n  sign(x: string): void {\n    go(x);\n  }\n}\n", "function", "sign"),
        ("a.tsx", "function Page() {\n  return <b/>;\n}\n", "function", "Page"),
        ("A.java", "class A {\n  A(int x) {\n    go(x);\n  }\n}\n", "function", "A"),
        ("a.go", "package a\nfunc (s *S) Sign() {\n\tgo1()\n}\n", "function", "Sign"),
        ("a.c", "static char *sign(int x)\n{\n  go(x);\n}\n", "function", "sign"),
        ("a.cpp", "void S::sign(int x) {\n  go(x);\n}\n", "function", "S::sign"),
        ("a.php", "<?php\nfunction sign($x) {\n  go($x);\n}\n", "function", "sign"),
        ("a.rb", "class S\n  def sign(x)\n    go(x)\n  end\nend\n", "function", "sign"),
        ("a.kt", "class S {\n  fun sign(x: Int) {\n    go(x)\n  }\n}\n", "function", "sign"),
        ("a.rs", "impl S {\n  fn sign(&self) {\n    go();\n  }\n}\n", "function", "sign"),
        ("a.cs", "class S {\n  void Sign(int x) {\n    Go(x);\n  }\n}\n", "function", "Sign"),
    ],
)
def test_each_language_s_functions_are_found(name: str, code: str, kind: str, found: str) -> None:
    source = enclosing.SourceFile(name, code.encode())
    line = next(
        n for n, text in enumerate(source.lines, 1) if ("go" in text.lower() and n > 1) or "<b/>" in text
    )
    context = enclosing.enclosing(source, line, line)
    assert context is not None
    assert (context.kind, context.name) == (kind, found)


def test_without_a_grammar_the_lines_are_still_given(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(grammars.LANGUAGE_OF_SUFFIX, ".py")
    place = placed("src/login.py", root)
    assert (place.context, len(place.snippet)) == (None, 1)


def test_another_version_of_the_file_gives_no_code_but_a_warning(root: Path) -> None:
    reported = finding("src/login.py", snippet=((11, "return os.urandom(32)"),))
    (found,), context = checkout.add_context([reported], root)
    assert found.location == reported.location
    assert "other code at this place" in found.warnings[0]
    assert (context.places, context.found, context.missing, context.different) == (1, 0, 0, 1)


def test_a_snippet_that_fits_is_kept_and_a_long_place_is_cut(root: Path) -> None:
    assert (
        placed("src/login.py", root, snippet=((11, 'return b"constant"'),)).snippet[0][1]
        == 'return b"constant"'
    )
    (root / "long.txt").write_text("x\n" * 1000)
    (found,), _ = checkout.add_context(
        [Finding("f", "t", "json", "r", "t", location=Location("long.txt", 1, 1000))], root
    )
    assert found.location is not None
    assert len(found.location.snippet) == checkout.MAX_SNIPPET_LINES


def test_a_delivery_with_a_checkout_says_what_was_found(
    tmp_path: Path, root: Path, parse: Callable[..., Parsed], make: Any, limits: Limits
) -> None:
    result = {**make.semgrep_result(lines="requires login"), "start": {"line": 11, "col": 9}}
    result["end"] = {"line": 11, "col": 27}
    report = tmp_path / "r.json"
    report.write_text(json.dumps(make.semgrep_report(result)))
    parsed = parse_paths([report], limits, source=root)
    without = parse_paths([report], limits)
    assert parsed.findings[0].fingerprint == without.findings[0].fingerprint
    assert parsed.to_json()["source"] == {"places": 1, "found": 1, "missing": 0, "different": 0}
    assert "source" not in without.to_json()
    value = json.loads(json.dumps(parsed.findings[0].to_json()))
    assert Finding.from_json(value) == parsed.findings[0]


def test_a_checkout_that_is_no_folder_is_the_operator_s_mistake(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="is no folder"):
        checkout.add_context([], tmp_path / "absent")
