"""Counts what the house promises: size of files, functions and folders, circles, and arrows between rooms.

Usage: python tests/house.py        prints a line for each broken promise; exit code 1 if there is one
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("config", "daemon", "jobs", "launchd")
LONGEST_FILE, LONGEST_FUNCTION, MOST_FILES = 350, 40, 16
MANY_FILES = (Path("daemon/cli/commands"),)  # a file a command
DATA = (Path("daemon/demo/data"), Path("tests/data"))  # specimens of other people's code


def code() -> list[Path]:
    """Every Python file of ours, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = sorted({Path(line) for line in listed.stdout.splitlines()})
    return [path for path in paths if (ROOT / path).is_file() and not set(DATA) & set(path.parents)]


def long_files(paths: list[Path]) -> Iterator[str]:
    """Files with too many lines."""
    for path in paths:
        lines = (ROOT / path).read_text(encoding="utf-8").count("\n")
        if lines > LONGEST_FILE:
            yield f"{path}: {lines} lines, at most {LONGEST_FILE}"


def long_functions(paths: list[Path]) -> Iterator[str]:
    """Functions with too many lines, from `def` to their last."""
    for path in paths:
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    yield f"{path}:{node.lineno}: {node.name} has {lines} lines, at most {LONGEST_FUNCTION}"


def full_folders(paths: list[Path]) -> Iterator[str]:
    """Folders with too many files beside each other."""
    for folder, count in sorted(Counter(path.parent for path in paths).items()):
        if count > MOST_FILES and folder not in MANY_FILES:
            yield f"{folder}/: {count} files beside each other, at most {MOST_FILES}"


def circles() -> Iterator[str]:
    """Modules that import each other, whether at their head, inside of a function or for their types only."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=False, cache_dir=None)
    for module in sorted(graph.modules):
        for other in sorted(graph.find_modules_directly_imported_by(module)):
            back = graph.find_shortest_chain(other, module)
            if back and module < min(back[:-1]):
                yield " -> ".join((module, *back))


def main() -> int:
    """Print what is broken."""
    paths = code()
    sys.path.insert(0, str(ROOT))
    broken = [*long_files(paths), *long_functions(paths), *full_folders(paths), *circles()]
    for line in broken:
        print(line)  # noqa: T201 - a script's answer
    print(f"{len(paths)} files looked at, {len(broken)} promises broken")  # noqa: T201
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
