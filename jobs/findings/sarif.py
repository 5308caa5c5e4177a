"""The tolerant SARIF reader: any tool's runs, results, rules and places, however loosely written.

One real file in six fails the strict schema; nothing here is required but a list of runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from jobs.findings import cwe, severity, shape
from jobs.findings.finding import Finding, Fix, Location, Severity
from jobs.findings.reading import Left

_PLACEHOLDER = re.compile(r"\{(\d{1,3})\}")
_DRIVE = re.compile(r"^/([A-Za-z]:/)")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a SARIF file: its driver, and its rules by id and by index."""

    driver: str
    version: str | None
    value: dict[str, Any]
    rules: tuple[dict[str, Any], ...]
    by_id: dict[str, dict[str, Any]]
    extensions: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Result:
    """One SARIF result with everything looked up: rule, message, level, places, CWEs."""

    rule_id: str
    rule: dict[str, Any]
    driver: str
    version: str | None
    message: str
    severity: Severity
    cwes: tuple[str, ...]
    locations: tuple[Location, ...]
    location_messages: tuple[str, ...]
    fix: Fix
    value: dict[str, Any]


def is_sarif(document: Any) -> bool:
    """Whether a JSON document is SARIF: `runs` beside `version` or `$schema`, or runs that hold a tool."""
    if not isinstance(document, dict) or "runs" not in document:
        return False
    if "version" in document or "$schema" in document:
        return True
    return any("tool" in run for run in shape.mappings(document["runs"]))


def runs(document: dict[str, Any]) -> Iterator[tuple[str, Run]]:
    """Each run with its JSON pointer; entries that are no objects are left out."""
    for number, value in enumerate(shape.items(document.get("runs"))):
        if isinstance(value, dict):
            yield f"/runs/{number}", open_run(value)


def open_run(value: dict[str, Any]) -> Run:
    """Look up a run's tool and rules (SARIF 2.1, and 1.0's `tool.name` and `rules`)."""
    tool = shape.mapping(value.get("tool"))
    driver = shape.mapping(tool.get("driver")) or tool
    extensions = tuple(shape.mappings(tool.get("extensions")))
    own = shape.items(driver.get("rules")) or _old_rules(value)
    rules = tuple(shape.mapping(rule) for rule in own)
    by_id: dict[str, dict[str, Any]] = {}
    others = [rule for extension in extensions for rule in shape.mappings(extension.get("rules"))]
    for rule in (*rules, *others):
        identifier = rule.get("id")
        if isinstance(identifier, str):
            by_id.setdefault(identifier, rule)
    version = shape.text(driver.get("semanticVersion")) or shape.text(driver.get("version"))
    return Run(shape.text(driver.get("name")) or "unknown", version, value, rules, by_id, extensions)


def _old_rules(value: dict[str, Any]) -> list[Any]:
    old = value.get("rules") or shape.dig(value, "resources", "rules")
    if isinstance(old, dict):
        return [{"id": name, **shape.mapping(rule)} for name, rule in old.items()]
    return shape.items(old)


def open_result(run: Run, value: Any) -> Result:
    """Look up everything one result refers to.

    Raises:
        Left: The result is no finding: suppressed, or of a kind other than `fail`.
        TypeError: The result is no object.
    """
    if not isinstance(value, dict):
        raise TypeError("a result is no object")
    _leave_out(value)
    rule = _rule(run, value)
    rule_id = _rule_id(value, rule)
    places = [shape.mapping(place) for place in shape.items(value.get("locations"))]
    notes = (shape.text(shape.dig(place, "message", "text")) for place in places)
    locations = tuple(found for place in places if (found := location(place, run)))
    return Result(
        rule_id=rule_id,
        rule=rule,
        driver=run.driver,
        version=run.version,
        message=message(value.get("message"), rule),
        severity=_severity(value, rule),
        cwes=_cwes(value, rule, run),
        locations=locations,
        location_messages=tuple(note for note in notes if note),
        fix=_fix(value, rule, locations),
        value=value,
    )


def _leave_out(value: dict[str, Any]) -> None:
    kind = shape.text(value.get("kind"))
    if kind not in (None, "fail"):
        raise Left(f"of kind {kind}")
    states = [
        shape.text(entry.get("status") or entry.get("state"))
        for entry in shape.mappings(value.get("suppressions"))
    ]
    if any(state in (None, "accepted") for state in states):
        raise Left("suppressed")  # "underReview" and "rejected" suppressions are not in force
    if shape.text(value.get("baselineState")) == "absent":
        raise Left("absent from this scan (baselineState)")


def _rule(run: Run, value: dict[str, Any]) -> dict[str, Any]:
    reference = shape.mapping(value.get("rule"))
    for identifier in (value.get("ruleId"), reference.get("id")):
        if isinstance(identifier, str):
            # A hierarchical id ("A/b") may refer to rule "A" (SARIF 2.1.0, section 3.52.4).
            found = run.by_id.get(identifier) or run.by_id.get(identifier.rpartition("/")[0])
            if found:
                return found
    rules: Any = run.rules
    component = shape.dig(reference, "toolComponent", "index")
    if isinstance(component, int) and 0 <= component < len(run.extensions):
        rules = shape.items(run.extensions[component].get("rules"))
    for index in (value.get("ruleIndex"), reference.get("index")):
        if isinstance(index, int) and 0 <= index < len(rules):
            return shape.mapping(rules[index])
    return {}


def _rule_id(value: dict[str, Any], rule: dict[str, Any]) -> str:
    for candidate in (value.get("ruleId"), shape.dig(value, "rule", "id"), rule.get("id"), rule.get("name")):
        if found := shape.text(candidate):
            return found
    return "unknown"


def message(value: Any, rule: dict[str, Any]) -> str:
    """A message's text: its own, or the rule's `messageStrings` entry with the arguments filled in."""
    found = shape.mapping(value)
    template = shape.text(value) or shape.text(found.get("text")) or shape.text(found.get("markdown"))
    identifier = found.get("id")
    if template is None and isinstance(identifier, str):
        entry = shape.dig(rule, "messageStrings", identifier) or shape.dig(rule, "messageFormats", identifier)
        template = (
            shape.text(entry)
            or shape.text(shape.dig(entry, "text"))
            or shape.text(shape.dig(entry, "markdown"))
        )
    arguments = shape.items(found.get("arguments"))
    if template is None or not arguments:
        return template or ""

    def fill(match: re.Match[str]) -> str:
        place = int(match[1])
        return (shape.text(arguments[place]) or "") if place < len(arguments) else match[0]

    return _PLACEHOLDER.sub(fill, template)


def _severity(value: dict[str, Any], rule: dict[str, Any]) -> Severity:
    level = shape.text(value.get("level"))
    level = level or shape.text(shape.dig(rule, "defaultConfiguration", "level")) or "warning"
    for holder in (value, rule):
        raw = shape.text(shape.dig(holder, "properties", "security-severity"))
        if raw is None:
            continue
        score = shape.number(raw)
        if score is not None and 0 <= score <= 10:
            return Severity(severity.level_of_score(score), level, score, "security-severity")
        if severity.level_of_word(raw) != "unknown":
            return Severity(severity.level_of_word(raw), raw, None, "security-severity")
    return severity.build(level, None, "level")


def _cwes(value: dict[str, Any], rule: dict[str, Any], run: Run) -> tuple[str, ...]:
    sources: list[Any] = []
    for holder in (value, rule):
        properties = shape.mapping(holder.get("properties"))
        sources += [properties.get(key) for key in ("tags", "cwe", "cwes", "CWE", "cweId")]
    taxa = [*shape.mappings(value.get("taxa"))]
    taxa += [shape.mapping(link.get("target")) for link in shape.mappings(rule.get("relationships"))]
    for taxon in taxa:
        component = shape.text(shape.dig(taxon, "toolComponent", "name")) or ""
        identifier = shape.text(taxon.get("id")) or ""
        sources.append(
            f"CWE-{identifier}" if component.upper() == "CWE" and identifier.isdigit() else identifier
        )
    return cwe.of(*sources)


def location(place: dict[str, Any], run: Run) -> Location | None:
    """A SARIF location's file and region, or None where it names no file."""
    physical = shape.mapping(place.get("physicalLocation"))
    path = _path(physical, run) or shape.text(place.get("resultFile"))
    if path is None:
        return None
    region = shape.mapping(physical.get("region"))
    start = shape.line(region.get("startLine"))
    end = shape.line(region.get("endLine")) or start
    if start and end and end < start:
        end = start
    code = shape.dig(region, "snippet", "text")
    context = shape.mapping(physical.get("contextRegion"))
    first = start
    if not isinstance(code, str) and isinstance(shape.dig(context, "snippet", "text"), str):
        code, first = context["snippet"]["text"], shape.line(context.get("startLine"))
    lines = shape.code_lines(code, first) if isinstance(code, str) and code.strip() and first else ()
    columns = shape.line(region.get("startColumn")), shape.line(region.get("endColumn"))
    clean = tuple((number, shape.text(entry) or entry) for number, entry in lines)
    return Location(path, start, end, *columns, valid=start is not None, snippet=clean)


def _path(physical: dict[str, Any], run: Run) -> str | None:
    artifact = shape.mapping(physical.get("artifactLocation")) or shape.mapping(physical.get("fileLocation"))
    uri = shape.text(artifact.get("uri"))
    index = artifact.get("index")
    artifacts = shape.items(run.value.get("artifacts"))
    if uri is None and isinstance(index, int) and 0 <= index < len(artifacts):
        uri = shape.text(shape.dig(artifacts[index], "location", "uri"))
    return plain_path(uri) if uri else None


def plain_path(uri: str) -> str:
    """A path out of an artifact's URI: `file:`, percents and backslashes undone; http stays."""
    if re.match(r"https?://", uri, re.IGNORECASE):
        return uri
    if uri.lower().startswith("file:"):
        uri = re.sub(r"^file:(//(localhost)?(?=[/<]|[A-Za-z]:)|//)?", "", uri, flags=re.IGNORECASE)
    path = (shape.text(unquote(uri)) or uri).replace("\\", "/")
    path = _DRIVE.sub(r"\1", path)
    return path[2:] if path.startswith("./") and len(path) > 2 else path


def _fix(value: dict[str, Any], rule: dict[str, Any], locations: tuple[Location, ...]) -> Fix:
    link = shape.text(rule.get("helpUri"))
    fixes = shape.mappings(value.get("fixes"))
    texts = [shape.text(shape.dig(fix, "description", "text")) for fix in fixes]
    advice = next((entry for entry in texts if entry), None)
    edit = next((found for fix in fixes if (found := _edit(fix, locations)) is not None), None)
    if edit is not None:
        return Fix("edit_untrusted", edit=edit, advice=advice, link=link)
    return Fix("advice" if advice else "link" if link else "none", advice=advice, link=link)


def _edit(fix: dict[str, Any], locations: tuple[Location, ...]) -> str | None:
    """A fix that replaces exactly the result's own region; others cannot be said as one edit."""
    changes = shape.mappings(fix.get("artifactChanges") or fix.get("fileChanges"))
    replacements = shape.mappings(changes[0].get("replacements")) if len(changes) == 1 else []
    if len(replacements) != 1 or not locations:
        return None
    region, place = shape.mapping(replacements[0].get("deletedRegion")), locations[0]
    start = shape.line(region.get("startLine"))
    columns = shape.line(region.get("startColumn")), shape.line(region.get("endColumn"))
    if None in (start, *columns) or (start, *columns) != (
        place.start_line,
        place.start_column,
        place.end_column,
    ):
        return None
    if (shape.line(region.get("endLine")) or start) != place.end_line:
        return None
    inserted = shape.dig(replacements[0], "insertedContent", "text")
    return inserted if isinstance(inserted, str) and inserted.isascii() else shape.text(inserted)


def generic_finding(result: Result, tool: str) -> Finding:
    """A finding out of a result of any tool; scanners refine it, other tools' results stay so."""
    rule = result.rule
    described = [message(rule.get(key), rule) for key in ("shortDescription", "fullDescription")]
    names = [*described, shape.text(rule.get("name")) or "", result.message, result.rule_id]
    logical = [
        shape.text(entry.get("fullyQualifiedName")) or shape.text(entry.get("name"))
        for place in shape.mappings(result.value.get("locations"))
        for entry in shape.mappings(place.get("logicalLocations"))
    ]
    more = () if len(result.locations) < 2 else (f"{len(result.locations) - 1} more locations in the report",)
    return Finding(
        fingerprint="",
        tool=tool,
        format="sarif",
        rule=result.rule_id,
        title=next(found for name in names if (found := shape.first_line(name))),
        message=result.message or next((text for text in reversed(described) if text), ""),
        tool_version=result.version,
        severity=result.severity,
        cwes=result.cwes,
        location=result.locations[0] if result.locations else None,
        resource=next((name for name in logical if name), None),
        fix=result.fix,
        warnings=more,
    )
