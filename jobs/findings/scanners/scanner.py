"""What a scanner has to offer to be asked; its file makes one `Scanner`, `registry.py` lists it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from jobs.findings.model.finding import Finding
from jobs.findings.scanners.reading import ReportReading
from jobs.findings.scanners.sarif import SarifResult


@dataclass(frozen=True, slots=True)
class Scanner:
    """How one scanner's reports are recognised and read; what a scanner has not is left out.

    Attributes:
        name: The tool's name in findings and verdicts.
        is_json: Whether a JSON document (not SARIF) is this tool's.
        read_json: Read such a document into the `Reading`.
        is_driver: Whether a SARIF driver's name is this tool's.
        from_sarif: A finding out of one SARIF result; raises `Left` where it is none.
        is_xml: Whether an XML root element is this tool's.
        read_xml: Read such a root into the `Reading`.
    """

    name: str
    is_json: Callable[[Any], bool]
    read_json: Callable[[Any, ReportReading], None]
    is_driver: Callable[[str], bool] = lambda name: False
    from_sarif: Callable[[SarifResult], Finding] | None = None
    is_xml: Callable[[Element], bool] = lambda root: False
    read_xml: Callable[[Element, ReportReading], None] | None = None
