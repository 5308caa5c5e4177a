"""docs/DATA.md shows a complete source; it works as it stands there."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from config.load import load
from jobs.datasets.build import build_stage1
from jobs.datasets.examples.drop_reasons import DROP_REASONS
from jobs.datasets.public import sources
from jobs.datasets.public.source import Source, sources_of
from jobs.datasets.request import Stage1Request
from jobs.errors import OperatorError

DOCUMENT = Path(__file__).parents[3] / "docs" / "DATA.md"


@pytest.fixture
def patchbook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The name of a source whose file is all that was added."""
    code = re.findall(r"```python\n(.*?)\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[0]
    folder = tmp_path / "more_sources"
    folder.mkdir()
    (folder / "patchbook.py").write_text(code, encoding="utf-8")
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(folder)])
    yield "patchbook"
    sys.modules.pop("jobs.datasets.public.sources.patchbook", None)


def test_the_source_of_the_document_builds_a_data_set(
    patchbook: str, stage1: Callable[..., Stage1Request], made: SimpleNamespace, tmp_path: Path
) -> None:
    rows: list[dict[str, Any]] = []
    for number in range(12):
        pair = made.crossvul_row(number)
        rows.append(
            {
                "path": f"shop/page_{number}.php",
                "before": pair["vulnerable_code"],
                "after": pair["fixed_code"],
                "commit": f"c{number}",
                "cwe": "CWE-79",
                "summary": "Input reaches the page.",
            }
        )
    rows += [{**rows[0], "path": "tests/page_test.php", "commit": "x"}, {**rows[0], "after": None}]
    path = made.write_lines(tmp_path / "patchbook.jsonl", rows)
    request = stage1([], [], sources=(Source(patchbook, str(path)),))
    stats = build_stage1(request, made.silent)
    assert stats["total_examples"] == 12
    assert stats["per_source"]["patchbook"]["licence"] == "CC BY 4.0"
    assert stats["dropped"] == {"no_code": 1, "test_code": 1}
    assert set(stats["dropped"]) <= set(DROP_REASONS)


def test_every_public_source_stands_in_the_table_of_licences() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name in sources.names():
        assert sources.load(name).attribution.split(",")[0] in text


def test_a_source_is_named_like_its_file() -> None:
    assert [sources.load(name).name for name in sources.names()] == ["crossvul", "cvefixes"]


def test_the_settings_take_a_source_by_its_name_after_those_that_are_there(patchbook: str) -> None:
    environ = {
        "SECTUNE__DATASETS__SOURCES__PATCHBOOK__SOURCE": "/data/patchbook",
        "SECTUNE__DATASETS__SOURCES__CVEFIXES__SOURCE": "null",
    }
    used = sources_of(load(environ=environ).settings.datasets)
    assert [(source.name, source.location, source.max_rows) for source in used[1:]] == [
        (patchbook, "/data/patchbook", None)
    ]
    assert [source.name for source in used] == ["crossvul", "patchbook"]


def test_a_source_without_a_file_is_refused_with_those_that_there_are() -> None:
    environ = {"SECTUNE__DATASETS__SOURCES__CROSVUL__SOURCE": "/data"}
    with pytest.raises(OperatorError, match="crosvul") as caught:
        sources_of(load(environ=environ).settings.datasets)
    assert "crossvul, cvefixes" in str(caught.value.remedy)
