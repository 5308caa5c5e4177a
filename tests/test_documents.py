"""What the documents name is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = "config|daemon|jobs|launchd|tests|docs|benchmarks"
FILE = re.compile(r"(?<![\w./<~-])(?:[\w-]+/)*[\w-]+\.(?:py|md|yaml)\b")
FOLDER = re.compile(rf"(?<![\w./<~-])(?:{ROOMS})/(?:[\w-]+/)*(?=[`*\s])")
EXAMPLES = {"lantern.py", "patchbook.py"}  # files that a document has its reader write


def listed(*patterns: str) -> list[Path]:
    words = ["git", "ls-files", "-co", "--exclude-standard", *patterns]
    names = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [Path(name) for name in names if (ROOT / name).is_file()]


# LOG and CHANGELOG tell of what was.
DOCUMENTS = [
    path for path in listed("*.md") if "data" not in path.parts and path.stem not in ("LOG", "CHANGELOG")
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_file_and_folder_that_a_document_names_exists(document: Path) -> None:
    files = [path.as_posix() for path in listed()]
    text = (ROOT / document).read_text(encoding="utf-8")
    for name in sorted(set(FILE.findall(text))):
        there = any(f"/{file}".endswith(f"/{name}") for file in files)
        assert there or Path(name).name in EXAMPLES, name
    for name in sorted(set(FOLDER.findall(text))):
        assert (ROOT / name).is_dir(), name
