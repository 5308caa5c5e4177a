"""OWASP ZAP's reports: JSON, XML and the API's alert list; advice only, a site's scan knows no code."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from jobs.findings.model import coerce, cwe
from jobs.findings.model.finding import Finding, Fix, Http, Severity, SeverityLevel
from jobs.findings.model.refusals import Left
from jobs.findings.scanners.reading import ReportReading
from jobs.findings.scanners.scanner import Scanner

_BREAK = re.compile(r"<(?:/p\s*>|br\s*/?>|/li\s*>|/div\s*>)", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_LEVELS: dict[str, SeverityLevel] = {"0": "info", "1": "low", "2": "medium", "3": "high"}
_WORDS = {"informational": "0", "low": "1", "medium": "2", "high": "3"}
_SAMPLE = 20  # alerts that are looked at to tell the tool


def is_report(document: Any) -> bool:
    """Whether a JSON document is ZAP's report or its API's alert list."""
    return _report(document) is not None or _api_alerts(document) is not None


def _report(document: Any) -> dict[str, Any] | None:
    """The report itself; a converted XML keeps the root's name around it."""
    if not isinstance(document, dict):
        return None
    inner = coerce.mapping(document.get("OWASPZAPReport")) or document
    stamped = "@version" in inner or "@generated" in inner
    named = inner is not document or str(inner.get("@programName")).upper().endswith("ZAP")
    return inner if ("site" in inner and (stamped or named)) or (stamped and named) else None


def _api_alerts(document: Any) -> Sequence[Any] | None:
    alerts = document.get("alerts") if isinstance(document, dict) else document
    if not coerce.is_list(alerts):
        return None
    found = any("pluginId" in entry and "risk" in entry for entry in coerce.first_mappings(alerts, _SAMPLE))
    return alerts if found else None


def read(document: Any, reading: ReportReading) -> None:
    """Read a JSON report or an API export."""
    alerts = _api_alerts(document)
    if alerts is not None:
        pointer = "/alerts" if isinstance(document, dict) else ""
        for place, record in reading.entries(alerts, pointer):
            reading.record(place, _api_alert, record)
        return
    report = _report(document) or {}
    version = coerce.text(report.get("@version"))
    root = "" if report is document else "/OWASPZAPReport"
    for pointer, site in reading.entries(coerce.as_list(report.get("site")), f"{root}/site"):
        name = coerce.text(coerce.mapping(site).get("@name"))
        alerts = coerce.mapping(site).get("alerts")
        if isinstance(alerts, dict) and "alertitem" in alerts:
            alerts = alerts["alertitem"]
        for place, record in reading.entries(coerce.as_list(alerts), f"{pointer}/alerts"):
            reading.record(place, _alert, record, (name, version, "json"))


def is_xml_report(root: Element) -> bool:
    """Whether an XML root is ZAP's."""
    return root.tag == "OWASPZAPReport"


def read_xml(root: Element, reading: ReportReading) -> None:
    """Read an XML report (plain and plus format)."""
    version = root.get("version")
    for number, site in enumerate(root.findall("site"), 1):
        for spot, item in enumerate(site.findall("alerts/alertitem"), 1):
            pointer = f"/OWASPZAPReport/site[{number}]/alerts/alertitem[{spot}]"
            reading.record(pointer, _alert, _of_element(item), (site.get("name"), version, "xml"))


def _of_element(item: Element) -> dict[str, Any]:
    """An alert element in the JSON report's shape."""
    record: dict[str, Any] = {}
    places: list[Element] = []
    for child in item:
        if child.tag == "instances":
            places += [entry for entry in child if entry.tag == "instance"]
        else:
            record[child.tag] = child.text
    # The first of hundreds of places is shown and the others are counted: only it is worth reading.
    record["instances"] = [{part.tag: part.text for part in entry} for entry in places[:1]]
    record["instances"] += [{}] * (len(places) - 1)
    return record


def _alert(record: dict[str, Any], source: tuple[str | None, str | None, str]) -> Finding:
    """One alert; `source` is the site's name, ZAP's version and the format."""
    site, version, written = source
    if not isinstance(record, dict):
        raise TypeError("an alert is no object")
    listed = record.get("instances")
    if isinstance(listed, dict):  # one instance, or the element around them, of a converted XML
        listed = listed.get("instance", listed)
    instances = coerce.mappings(coerce.as_list(listed)) or [record]
    if str(record.get("confidence")).strip() == "0":
        raise Left("marked as a false positive")
    name = coerce.text(record.get("name")) or coerce.text(record.get("alert"))
    rule, aliases = _identity(record, "pluginid", name)
    risk = str(record.get("riskcode")).strip()
    more = (f"{len(instances) - 1} more places in the report",) if len(instances) > 1 else ()
    return Finding(
        fingerprint="",
        tool="zap",
        format=written,
        rule=rule,
        title=name or rule,
        message=plain_text(record.get("desc")),
        tool_version=version,
        aliases=aliases,
        severity=Severity(
            _LEVELS.get(risk, "unknown"), coerce.text(record.get("riskdesc")), None, "riskcode"
        ),
        cwes=cwe.bare(record.get("cweid")),
        http=_http(instances[0], "uri") or _http(instances[0], "url"),
        resource=site or _origin(coerce.text(instances[0].get("uri"))),
        fix=_fix(record),
        warnings=more,
    )


def _identity(record: dict[str, Any], key: str, name: str | None) -> tuple[str, tuple[str, ...]]:
    """`alertRef`, else the plugin with the name: one plugin raises several different alerts."""
    plugin = coerce.text(record.get(key))
    reference = coerce.text(record.get("alertRef"))
    if reference:
        return reference, ()
    if plugin is None and name is None:
        raise ValueError("an alert without pluginid and name")
    return (f"{plugin}:{name}" if plugin and name else str(plugin or name)), ()


def _api_alert(record: dict[str, Any]) -> Finding:
    if not isinstance(record, dict):
        raise TypeError("an alert is no object")
    confidence = (coerce.text(record.get("confidence")) or "").lower()
    if confidence in {"0", "false positive"}:
        raise Left("marked as a false positive")
    name = coerce.text(record.get("name")) or coerce.text(record.get("alert"))
    rule, aliases = _identity(record, "pluginId", name)
    risk = coerce.text(record["risk"])
    level = _LEVELS.get(_WORDS.get((risk or "").lower(), risk or ""), "unknown")
    return Finding(
        fingerprint="",
        tool="zap",
        format="json",
        rule=rule,
        title=name or rule,
        message=plain_text(record.get("description")),
        aliases=aliases,
        severity=Severity(level, risk, None, "risk"),
        cwes=cwe.bare(record.get("cweid")),
        http=_http(record, "url"),
        resource=_origin(coerce.text(record.get("url"))),
        fix=_fix(record),
    )


def _http(instance: dict[str, Any], address: str) -> Http | None:
    found = Http(
        method=coerce.text(instance.get("method")),
        uri=coerce.text(instance.get(address)),
        param=coerce.text(instance.get("param")),
        evidence=coerce.text(instance.get("evidence")),
    )
    return found if found.uri else None


def _origin(uri: str | None) -> str | None:
    """Scheme, host and port, as ZAP names a site."""
    if uri is None:
        return None
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else None


def _fix(record: dict[str, Any]) -> Fix:
    advice = plain_text(record.get("solution")) or None
    reference = plain_text(record.get("reference"))
    link = next((entry for entry in reference.split() if entry.startswith(("http://", "https://"))), None)
    return Fix("advice" if advice else "link" if link else "none", advice=advice, link=link)


def plain_text(value: Any) -> str:
    """ZAP's HTML as text, one paragraph a line."""
    found = coerce.text(value)
    return "" if found is None else _without_tags(found)


@lru_cache(maxsize=512)  # an alert says the same of every site, and in every report
def _without_tags(found: str) -> str:
    if "<" in found:
        found = _TAG.sub("", _BREAK.sub("\n", found))
    return "\n".join([line for entry in html.unescape(found).splitlines() if (line := entry.strip())])


SCANNER = Scanner("zap", is_report, read, is_xml=is_xml_report, read_xml=read_xml)
