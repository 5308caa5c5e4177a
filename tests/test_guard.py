"""What no linter checks: names that would collide, children's flags, pickle, addresses of one machine."""

from __future__ import annotations

import ast
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = frozenset({"config", "daemon", "jobs", "launchd"})
SOURCES = sorted(path for room in OURS for path in (ROOT / room).rglob("*.py") if "data" not in path.parts)


def top_level(distribution: metadata.Distribution) -> set[str]:
    return {file.parts[0].removesuffix(".py") for file in distribution.files or () if file.suffix == ".py"}


@pytest.mark.slow
def test_no_dependency_ships_a_package_with_one_of_our_names() -> None:
    found = {
        distribution.metadata["Name"]: names & OURS
        for distribution in metadata.distributions()
        if distribution.metadata["Name"] != "sectune" and (names := top_level(distribution)) & OURS
    }
    assert found == {}


def test_the_standard_library_has_none_of_our_names() -> None:
    assert not OURS & sys.stdlib_module_names


def calls_of_python(tree: ast.AST) -> list[list[ast.expr]]:
    """Every list that begins with sys.executable."""
    return [
        node.elts
        for node in ast.walk(tree)
        if isinstance(node, ast.List) and node.elts and ast.unparse(node.elts[0]) == "sys.executable"
    ]


@pytest.mark.slow
def test_every_child_is_started_blind_to_the_current_folder() -> None:
    calls = [
        (path.name, ast.unparse(call[1]))
        for path in SOURCES
        for call in calls_of_python(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert len(calls) >= 2
    again = "*sys.orig_argv[1:]"  # this very process begins anew, as it was started
    assert [call for call in calls if call[1] not in ("'-P'", again)] == []


@pytest.mark.parametrize("module", ["pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"])
def test_nothing_of_ours_reads_code_from_data(module: str) -> None:
    wanted = re.compile(rf"^\s*(import|from)\s+{module}\b", re.MULTILINE)
    assert [path.name for path in SOURCES if wanted.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "name", ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "requirements.lock", "Makefile"]
)
def test_no_page_names_a_path_of_one_machine(name: str) -> None:
    page = ROOT / name
    if not page.exists():
        pytest.skip(f"{name} is not written yet")
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.~$])/(?:home|Users|work|root|tmp|private|var/folders)/\w[\w./-]*", text) == []
    assert str(ROOT) not in text
