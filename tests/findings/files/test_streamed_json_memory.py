"""A report of 100 MB in a child: its peak memory stays below a gigabyte."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

SIZE = 100 << 20
MOST_MIB = (
    850  # measured: 342 (Trivy), 422 (Semgrep), 495 (SARIF), 686 (ZAP); 795 with four bytes a character
)
CHILD = """
import resource, sys
from pathlib import Path
from jobs.findings.parse import Limits, parse_paths
parsed = parse_paths([Path(sys.argv[1])], Limits(1 << 28, 100, 1 << 30, 200))
report = parsed.files[0]
unit = 1024 if sys.platform == "linux" else 1 << 20
print(report.verdict, report.tool, report.raw_findings, len(parsed.findings),
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit)
"""


def _filled(path: Path, around: tuple[str, str], record: Callable[[int], str], between: str = ",") -> int:
    """Write records until the file has its size; how many."""
    with path.open("w", encoding="utf-8") as stream:
        size = stream.write(around[0])
        for number in count():
            size += stream.write((between if number else "") + record(number))
            if size > SIZE:
                stream.write(around[1])
                return number + 1
    raise AssertionError


def _split(document: Any) -> tuple[str, str]:
    before, _, after = json.dumps(document).partition('"HERE"')
    return before, after


def _trivy(make: Any) -> tuple[tuple[str, str], Callable[[int], str], str]:
    around = _split(make.trivy_report("HERE"))
    more = {"References": [f"https://advisories.example/{n}" for n in range(8)], "Description": "Long. " * 80}

    def record(number: int) -> str:
        return json.dumps(make.trivy_vulnerability(VulnerabilityID=f"CVE-2099-{number}", **more))

    return around, record, ","


def _semgrep(make: Any) -> tuple[tuple[str, str], Callable[[int], str], str]:
    def record(number: int) -> str:
        lines = f"value_{number} = request.args['x']"
        return json.dumps(
            {**make.semgrep_result(lines=lines, message="Do not. " * 40), "path": f"s/{number}.py"}
        )

    return _split(make.semgrep_report("HERE")), record, ","


def _sarif(make: Any) -> tuple[tuple[str, str], Callable[[int], str], str]:
    result = json.dumps(make.semgrep_sarif()["runs"][0]["results"][0] | {"partial": "x" * 200})

    def record(number: int) -> str:
        return result.replace("src/login.py", f"src/{number}.py").replace(
            "Use a", "Use a \U0001f511" if not number else "Use a"
        )

    return _split(make.sarif_report("Semgrep OSS", "HERE")), record, ","


def _zap(make: Any) -> tuple[tuple[str, str], Callable[[int], str], str]:
    instance = (
        "<instance><uri>https://app.example/{}</uri><method>GET</method><evidence>e</evidence></instance>"
    )

    def record(number: int) -> str:
        places = "".join(instance.format(place) for place in range(8))
        return (
            f"<alertitem><alertRef>1-{number}</alertRef><name>A</name><riskcode>2</riskcode>"
            f"<desc>{'Long. ' * 60}</desc><instances>{places}</instances></alertitem>"
        )

    head = '<?xml version="1.0"?><OWASPZAPReport version="2.16"><site name="https://app.example"><alerts>'
    return (head, "</alerts></site></OWASPZAPReport>"), record, ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "build"), [("trivy", _trivy), ("semgrep", _semgrep), ("semgrep", _sarif), ("zap", _zap)]
)
def test_a_report_of_100_megabytes_needs_no_gigabyte(
    tmp_path: Path, make: Any, tool: str, build: Callable[[Any], Any]
) -> None:
    path = tmp_path / "report"
    around, record, between = build(make)
    written = _filled(path, around, record, between)
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    verdict, found, raw, distinct, peak = child.stdout.split()
    assert (verdict, found, int(raw), int(distinct)) == ("parsed", tool, written, written)
    assert int(peak) < MOST_MIB
