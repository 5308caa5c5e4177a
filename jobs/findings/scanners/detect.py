"""Tell the tool by content, never by name or path; known others and strangers are refused by name."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from jobs.findings.model import coerce
from jobs.findings.model.refusals import Refused
from jobs.findings.scanners import sarif, unsupported_formats
from jobs.findings.scanners.reading import ReportReading
from jobs.findings.scanners.registry import SCANNERS
from jobs.findings.scanners.scanner import Scanner

OTHER_SARIF = "sarif_other"


def read_json(document: Any, reading: ReportReading) -> None:
    """Read a JSON document with the scanner that recognises it.

    Raises:
        Refused: No scanner does; the message names what it is, where known.
    """
    reading.format = "json"
    if sarif.is_sarif(document):
        read_sarif(document, reading)
        return
    for scanner in SCANNERS:
        if scanner.is_json(document):
            reading.tool = scanner.name
            scanner.read_json(document, reading)
            return
    if isinstance(document, dict) and document.keys() == {"results"} and document["results"] in ([], None):
        reading.warn("ambiguous: an empty `results` is written by Semgrep and by OSV-Scanner alike")
        return
    raise Refused(unsupported_formats.json_refusal(document))


def read_xml(root: Element, reading: ReportReading) -> None:
    """Read an XML root with the scanner that recognises it.

    Raises:
        Refused: No scanner does.
    """
    reading.format = "xml"
    for scanner in SCANNERS:
        if scanner.is_xml(root) and scanner.read_xml:
            reading.tool = scanner.name
            scanner.read_xml(root, reading)
            return
    raise Refused(unsupported_formats.xml_refusal(root))


def read_sarif(document: dict[str, Any], reading: ReportReading) -> None:
    """Read a SARIF file, each run by its own tool; runs of tools we do not know are read generically.

    Raises:
        Refused: `runs` is no list, or a run is a secret scanner's.
    """
    reading.format = "sarif"
    if not coerce.is_list_or_null(document["runs"]):
        raise Refused("not valid SARIF: `runs` is no list")
    opened = list(sarif.runs(document))
    for _, run in opened:
        if unsupported_formats.holds_secrets(run.driver):
            raise Refused(unsupported_formats.refusal(run.driver[:60]))
    if len(opened) < len(coerce.items(document["runs"])):
        reading.warn("some runs are no objects")
    tools = set()
    for pointer, run in opened:
        scanner = next((found for found in SCANNERS if found.is_driver(run.driver)), None)
        tools.add(scanner.name if scanner else OTHER_SARIF)
        for place, value in reading.entries(run.value.get("results"), f"{pointer}/results"):
            reading.record(place, _sarif_record, run, value, scanner)
    reading.tool = "+".join(sorted(tools)) or OTHER_SARIF


def _sarif_record(run: sarif.SarifRun, value: Any, scanner: Scanner | None) -> Any:
    result = sarif.open_result(run, value)
    if scanner and scanner.from_sarif:
        return scanner.from_sarif(result)
    return sarif.generic_finding(result, run.driver)
