from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.findings.model import severity
from jobs.findings.parse import Parsed

V3 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
V2 = "AV:N/AC:L/Au:N/C:P/I:P/A:P"

# The examples of the specifications' own documents (FIRST), by the vulnerability that each is about.
EXAMPLES = [
    ("CVE-2002-0392", "AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8),
    ("CVE-2003-0818", "AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0),
    ("CVE-2003-0062", "AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2),
    ("CVE-2013-1937", "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
    ("CVE-2013-0375", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4),
    ("CVE-2014-3566", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1),
    ("CVE-2012-1516", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9),
    ("CVE-2009-0783", "CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2),
    ("CVE-2012-0384", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 8.8),
    ("CVE-2014-6271", V3, 9.8),
    ("CVE-2014-0160", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5),
    ("CVE-2008-1447", "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", 6.8),
    ("CVE-2022-41741", "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3),
    ("CVE-2020-3549", "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.7),
    ("CVE-2023-3089", "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N", 8.3),
    ("CVE-2021-44714", "CVSS:4.0/AV:L/AC:L/AT:N/PR:N/UI:A/VC:L/VI:N/VA:N/SC:N/SI:N/SA:N", 4.6),
    ("CVE-2022-21830", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:N/VA:N/SC:L/SI:L/SA:N", 5.1),
    ("CVE-2022-22186", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:L/VI:L/VA:N/SC:N/SI:N/SA:N", 6.9),
    ("CVE-2023-21989", "CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:N/VI:N/VA:N/SC:H/SI:N/SA:N", 5.9),
    ("CVE-2014-0160", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:N/VA:N/SC:N/SI:N/SA:N", 8.7),
    ("CVE-2021-44228", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0),
    ("nothing is lost", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0),
    ("nothing is lost", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N", 0.0),
]


@pytest.mark.parametrize(("name", "vector", "score"), EXAMPLES)
def test_a_vector_scores_as_its_specification_says(name: str, vector: str, score: float) -> None:
    assert severity.score_of_vector(vector) == score


@pytest.mark.parametrize(
    ("vector", "score"),
    [
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1),
        ("CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:L/I:L/A:L", 5.6),
        (f"{V3}/E:U/RL:O/RC:U", 9.8),  # the base score, whatever else is known
        ("CVSS:3.1/C:H/I:H/A:H/S:U/UI:N/PR:N/AC:L/AV:N", 9.8),
        (f" {V3}/", 9.8),
        (f"{V4}/E:U", 8.1),
        (V4, 9.3),
        (f"({V2})", 7.5),
        (f"CVSS:2.0/{V2}", 7.5),
    ],
)
def test_order_optional_metrics_and_loose_writing_are_understood(vector: str, score: float) -> None:
    assert severity.score_of_vector(vector) == score


@pytest.mark.parametrize(
    "vector",
    [
        "",
        "7.5",
        "CVSS:3.1/AV:N",
        "CVSS:4.0/AV:N/AC:L",
        "CVSS:3.1/",
        "CVSS:5.0/AV:N/AC:L",
        f"{V3}/C:L",
        V3.replace("AV:N", "AV:X"),
        V3.replace("3.1", "4.0"),
        V4.replace("4.0", "3.1"),
        V3.lower(),
        "\ud800",
    ],
)
def test_a_malformed_vector_has_no_score(vector: str) -> None:
    assert severity.score_of_vector(vector) is None


PARTS = [
    "CVSS:3.1/",
    "CVSS:4.0/",
    "AV:N/",
    "AC:L/",
    "PR:N/",
    "UI:N/",
    "S:U/",
    "C:H/",
    "I:H/",
    "A:H",
    "Au:N/",
    ":",
]


@given(st.lists(st.sampled_from(PARTS), max_size=12))
def test_any_text_has_a_score_or_none(parts: list[str]) -> None:
    score = severity.score_of_vector("".join(parts))
    assert score is None or 0 <= score <= 10


@pytest.mark.parametrize(
    ("vectors", "group", "score", "origin"),
    [
        ([V4], None, 9.3, "CVSS vector"),
        ([V2], None, 7.5, "CVSS vector"),
        ([V2, V4], None, 9.3, "CVSS vector"),
        ([V2, V4, "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"], None, 6.1, "CVSS vector"),
        ([V4], "6.5", 6.5, "max_severity"),
        ([V3], "6.5", 9.8, "CVSS vector"),
        ([], "6.5", 6.5, "max_severity"),
        (["CVSS:4.0/broken"], None, None, None),
    ],
)
def test_an_advisory_is_scored_by_the_version_that_others_use_first(
    parse: Callable[..., Parsed],
    make: Any,
    vectors: list[str],
    group: str | None,
    score: float | None,
    origin: str | None,
) -> None:
    record = make.osv_advisory("GHSA-aaaa")
    record["severity"] = [{"type": "CVSS_V3", "score": vector} for vector in vectors]
    record.pop("database_specific", None)
    report = make.osv_report(record)
    entry = report["results"][0]["packages"][0]
    entry["groups"] = [{"ids": [record["id"]], **({"max_severity": group} if group else {})}]
    (finding,) = parse(report).findings
    assert (finding.severity.score, finding.severity.origin) == (score, origin)


@pytest.mark.slow
def test_the_scores_are_loaded_with_the_first_vector_only() -> None:
    code = (
        "import sys, jobs.findings.parse\n"
        "from jobs.findings.model.severity import score_of_vector\n"
        "assert 'cvss' not in sys.modules\n"
        f"assert score_of_vector({V3!r}) == 9.8\n"
        "assert 'cvss' in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0
