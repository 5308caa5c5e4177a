"""The deliveries of the chaos: distinct, small, cut from the demo's own reports, the same every time."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from daemon.demo.scene import DATA

REPORTS = DATA / "reports"
MOMENT = (2026, 1, 1, 0, 0, 0)  # a zip carries times; the same delivery must have the same bytes


def write_deliveries(folder: Path, count: int) -> list[Path]:
    """Write `count` zips that share no finding, so that each is new to the inbox."""
    folder.mkdir(parents=True, exist_ok=True)
    semgrep, trivy = (json.loads((REPORTS / name).read_text()) for name in ("semgrep.json", "trivy.json"))
    found = [
        (result, each) for result in trivy["Results"] for each in result.get("Vulnerabilities", [])
    ]  # dealt out one by one: every delivery gets some that it can learn from
    paths = []
    for number in range(count):
        mine = [{**result, "Vulnerabilities": [each]} for result, each in found[number::count]]
        parts = {
            "semgrep.json": {**semgrep, "results": semgrep["results"][number::count]},
            "trivy.json": {**trivy, "Results": mine},
        }
        paths.append(_write(folder / f"scan-{number + 1}.zip", parts))
    return paths


def _write(path: Path, parts: dict[str, Any]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, MOMENT), json.dumps(content))
    return path
