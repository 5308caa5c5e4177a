"""docs/DATA.md shows a complete source; it works as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.datasets import public
from jobs.datasets.build import Source, Stage1Request, build_stage1
from jobs.datasets.reasons import DROP_REASONS

DOCUMENT = Path(__file__).parents[2] / "docs" / "DATA.md"


@pytest.fixture
def patchbook(monkeypatch: pytest.MonkeyPatch) -> Any:
    code = re.findall(r"```python\n(.*?)\n```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[0]
    space: dict[str, Any] = {}
    exec(compile(code, "docs/DATA.md", "exec"), space)
    monkeypatch.setitem(public.PUBLIC, "patchbook", space["SOURCE"])
    return space["SOURCE"]


def test_the_source_of_the_document_builds_a_data_set(
    patchbook: Any, stage1: Callable[..., Stage1Request], made: SimpleNamespace, tmp_path: Path
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
    request = stage1([], [], sources=(Source("patchbook", str(path)),))  # type: ignore[arg-type]
    stats = build_stage1(request, made.silent)
    assert stats["total_examples"] == 12
    assert stats["per_source"]["patchbook"]["licence"] == "CC BY 4.0"
    assert stats["dropped"] == {"no_code": 1, "test_code": 1}
    assert set(stats["dropped"]) <= set(DROP_REASONS)


def test_every_public_source_stands_in_the_table_of_licences() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for source in public.PUBLIC.values():
        assert source.attribution.split(",")[0] in text
