"""The tolerant SARIF reader: any tool's runs, results, rules and places, however loosely written.

One real file in six fails the strict schema; nothing here is required but a list of runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import chain
from typing import Any

from jobs.findings.model import coerce, cwe, severity
from jobs.findings.model.finding import Finding, Fix, Location, Severity
from jobs.findings.model.refusals import Left
from jobs.findings.model.structs import record, replace
from jobs.findings.scanners import sarif_locations

_NO_RULE: dict[str, Any] = {}
_PLACEHOLDER = re.compile(r"\{(\d{1,3})\}")


@record(frozen=True, slots=True)
class SarifRun:
    """One run of a SARIF file: its driver, and its rules by id and by index."""

    driver: str
    version: str | None
    value: dict[str, Any]
    rules: tuple[dict[str, Any], ...]
    by_id: dict[str, dict[str, Any]]
    extensions: tuple[tuple[dict[str, Any], ...], ...]  # the rules of each
    artifacts: tuple[Any, ...]
    facts: dict[int, RuleFacts] = field(default_factory=dict)  # by the rule object's id

    def about(self, rule: dict[str, Any]) -> RuleFacts:
        """What a rule says of all its results; looked up once, since thousands of results share a rule."""
        found = self.facts.get(id(rule))
        if found is None:
            found = self.facts[id(rule)] = rule_facts(rule)
        return found


@record(frozen=True, slots=True)
class RuleFacts:
    """A rule's level, severity, CWEs, link and descriptions; `severities` remembers them by level."""

    level: str | None
    rated: str | None
    cwes: tuple[str, ...]
    link: str | None
    title: str
    described: str
    severities: dict[str, Severity] = field(default_factory=dict)


def rule_facts(rule: dict[str, Any]) -> RuleFacts:
    """Read a rule, of which anything may be missing."""
    short, full = (
        message(rule[key], rule) if key in rule else "" for key in ("shortDescription", "fullDescription")
    )
    title = coerce.first_line(short) or coerce.first_line(full)
    linked = [coerce.mapping(link.get("target")) for link in coerce.mappings(rule.get("relationships"))]
    return RuleFacts(
        level=coerce.text(coerce.dig(rule, "defaultConfiguration", "level")),
        rated=coerce.text(coerce.dig(rule, "properties", "security-severity")),
        cwes=cwe.of(*_tags(rule), *map(_taxon, linked)),
        link=coerce.text(rule.get("helpUri")),
        title=title or coerce.first_line(coerce.text(rule.get("name")) or ""),
        described=full or short,
    )


@record(frozen=True, slots=True)
class SarifResult:
    """One SARIF result with everything looked up: rule, message, level, places, CWEs."""

    rule_id: str
    rule: dict[str, Any]
    about: RuleFacts
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
    """Whether a JSON document is SARIF: `runs` beside `version` or `$schema`, or runs that hold a tool.

    Other formats have versions and runs as well; theirs hold neither a tool nor results.
    """
    if not isinstance(document, dict) or "runs" not in document:
        return False
    listed = coerce.first_mappings(document["runs"], 20)
    if any("tool" in run or "results" in run for run in listed):
        return True
    named = "sarif" in str(document.get("$schema")).lower()
    return named or (not listed and ("version" in document or "$schema" in document))


def runs(document: dict[str, Any]) -> Iterator[tuple[str, SarifRun]]:
    """Each run with its JSON pointer; entries that are no objects are left out."""
    for number, value in enumerate(coerce.items(document.get("runs"))):
        if isinstance(value, dict):
            yield f"/runs/{number}", open_run(value)


def open_run(value: dict[str, Any]) -> SarifRun:
    """Look up a run's tool and rules (SARIF 2.1, and 1.0's `tool.name` and `rules`)."""
    tool = coerce.mapping(value.get("tool"))
    driver = coerce.mapping(tool.get("driver")) or tool
    extensions = tuple(
        tuple(coerce.mapping(rule) for rule in coerce.items(extension.get("rules")))
        for extension in map(coerce.mapping, coerce.items(tool.get("extensions")))
    )
    own = coerce.items(driver.get("rules")) or _old_rules(value)
    rules = tuple(coerce.mapping(rule) for rule in own)
    by_id: dict[str, dict[str, Any]] = {}
    for rule in chain(rules, *extensions):
        identifier = rule.get("id")
        if isinstance(identifier, str):
            by_id.setdefault(identifier, rule)
    version = coerce.text(driver.get("semanticVersion")) or coerce.text(driver.get("version"))
    artifacts = tuple(coerce.items(value.get("artifacts")))
    name = coerce.text(driver.get("name")) or "unknown"
    return SarifRun(name, version, value, rules, by_id, extensions, artifacts)


def _old_rules(value: dict[str, Any]) -> Sequence[Any]:
    old = value.get("rules") or coerce.dig(value, "resources", "rules")
    if isinstance(old, dict):
        return [{"id": name, **coerce.mapping(rule)} for name, rule in old.items()]
    return coerce.items(old)


def open_result(run: SarifRun, value: Any) -> SarifResult:
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
    about = run.about(rule)
    places = coerce.mappings(value.get("locations"))
    notes = [coerce.text(coerce.dig(place, "message", "text")) for place in places if "message" in place]
    artifacts = run.artifacts
    locations = tuple([found for place in places if (found := sarif_locations.location(place, artifacts))])
    return SarifResult(
        rule_id=rule_id,
        rule=rule,
        about=about,
        driver=run.driver,
        version=run.version,
        message=message(value.get("message"), rule),
        severity=_severity(value, about),
        cwes=_cwes(value, about),
        locations=locations,
        location_messages=tuple([note for note in notes if note]),
        fix=_fix(value, about, locations),
        value=value,
    )


def _leave_out(value: dict[str, Any]) -> None:
    kind = coerce.text(value.get("kind"))
    if kind is not None and kind != "fail":
        raise Left(f"of kind {kind}")
    for entry in coerce.mappings(value.get("suppressions")):
        if coerce.text(entry.get("status") or entry.get("state")) in (None, "accepted"):
            raise Left("suppressed")  # "underReview" and "rejected" suppressions are not in force
    if coerce.text(value.get("baselineState")) == "absent":
        raise Left("absent from this scan (baselineState)")


def _rule(run: SarifRun, value: dict[str, Any]) -> dict[str, Any]:
    direct = value.get("ruleId")
    if isinstance(direct, str) and direct in run.by_id:
        return run.by_id[direct]
    reference = coerce.mapping(value.get("rule"))
    for identifier in (direct, reference.get("id")):
        if isinstance(identifier, str):
            # A hierarchical id ("A/b") may refer to rule "A" (SARIF 2.1.0, section 3.52.4).
            found = run.by_id.get(identifier) or run.by_id.get(identifier.rpartition("/")[0])
            if found:
                return found
    rules = run.rules
    component = coerce.dig(reference, "toolComponent", "index")
    if isinstance(component, int) and 0 <= component < len(run.extensions):
        rules = run.extensions[component]
    for index in (value.get("ruleIndex"), reference.get("index")):
        if isinstance(index, int) and 0 <= index < len(rules):
            return rules[index]
    return _NO_RULE


def _rule_id(value: dict[str, Any], rule: dict[str, Any]) -> str:
    if found := coerce.text(value.get("ruleId")):
        return found
    for candidate in (coerce.dig(value, "rule", "id"), rule.get("id"), rule.get("name")):
        if found := coerce.text(candidate):
            return found
    return "unknown"


def message(value: Any, rule: dict[str, Any]) -> str:
    """A message's text: its own, or the rule's `messageStrings` entry with the arguments filled in."""
    found = coerce.mapping(value)
    if "arguments" not in found and (said := coerce.text(found.get("text"))):
        return said  # nearly every message
    template = coerce.text(value) or coerce.text(found.get("text")) or coerce.text(found.get("markdown"))
    identifier = found.get("id")
    if template is None and isinstance(identifier, str):
        entry = coerce.dig(rule, "messageStrings", identifier) or coerce.dig(
            rule, "messageFormats", identifier
        )
        template = (
            coerce.text(entry)
            or coerce.text(coerce.dig(entry, "text"))
            or coerce.text(coerce.dig(entry, "markdown"))
        )
    arguments = coerce.items(found.get("arguments"))
    if template is None or not arguments:
        return template or ""

    def fill(match: re.Match[str]) -> str:
        place = int(match[1])
        return (coerce.text(arguments[place]) or "") if place < len(arguments) else match[0]

    return _PLACEHOLDER.sub(fill, template)


def _severity(value: dict[str, Any], about: RuleFacts) -> Severity:
    level = coerce.text(value.get("level")) or about.level or "warning"
    properties = value.get("properties")
    own = coerce.text(coerce.mapping(properties).get("security-severity")) if properties else None
    if own is not None:
        found = _rating(own, level)
        if found:
            return found
    if level not in about.severities:
        about.severities[level] = _rating(about.rated, level) or severity.build(level, None, "level")
    return about.severities[level]


def _rating(raw: str | None, level: str) -> Severity | None:
    """A `security-severity`: a score, or a word."""
    if raw is None:
        return None
    score = coerce.number(raw)
    if score is not None and 0 <= score <= 10:
        return Severity(severity.level_of_score(score), level, score, "security-severity")
    word = severity.level_of_word(raw)
    return None if word == "unknown" else Severity(word, raw, None, "security-severity")


def _cwes(value: dict[str, Any], about: RuleFacts) -> tuple[str, ...]:
    if not value.get("properties") and not value.get("taxa"):
        return about.cwes
    own = cwe.of(*_tags(value), *map(_taxon, coerce.mappings(value.get("taxa"))))
    return cwe.unite((own, about.cwes)) if own else about.cwes


def _tags(holder: dict[str, Any]) -> list[Any]:
    properties = coerce.mapping(holder.get("properties"))
    if not properties:
        return []
    return [properties.get(key) for key in ("tags", "cwe", "cwes", "CWE", "cweId")]


def _taxon(taxon: dict[str, Any]) -> str:
    component = coerce.text(coerce.dig(taxon, "toolComponent", "name")) or ""
    identifier = coerce.text(taxon.get("id")) or ""
    return f"CWE-{identifier}" if component.upper() == "CWE" and identifier.isdigit() else identifier


def _fix(value: dict[str, Any], about: RuleFacts, locations: tuple[Location, ...]) -> Fix:
    link = about.link
    if "fixes" not in value:
        return Fix("link" if link else "none", link=link)
    fixes = coerce.mappings(value["fixes"])
    texts = [coerce.text(coerce.dig(fix, "description", "text")) for fix in fixes]
    advice = next((entry for entry in texts if entry), None)
    edit = next((found for fix in fixes if (found := sarif_locations.edit(fix, locations)) is not None), None)
    if edit is not None:
        return Fix("edit_untrusted", edit=edit, advice=advice, link=link)
    return Fix("advice" if advice else "link" if link else "none", advice=advice, link=link)


def generic_finding(result: SarifResult, tool: str, **changes: Any) -> Finding:
    """A finding out of a result of any tool; other tools' results stay so, scanners change some fields."""
    places = result.locations
    found = Finding(
        fingerprint="",
        tool=tool,
        format="sarif",
        rule=result.rule_id,
        title=changes.get("title") or title(result),
        message=result.message or result.about.described,
        tool_version=result.version,
        severity=result.severity,
        cwes=result.cwes,
        location=places[0] if places else None,
        resource=_resource(result),
        fix=result.fix,
        warnings=(f"{len(places) - 1} more locations in the report",) if len(places) > 1 else (),
    )
    return replace(found, **changes) if changes else found


def title(result: SarifResult) -> str:
    """The rule's short words for it, else the first line of the result's own."""
    return result.about.title or coerce.first_line(result.message) or result.rule_id


def _resource(result: SarifResult) -> str | None:
    for place in coerce.mappings(result.value.get("locations")):
        for entry in coerce.mappings(place.get("logicalLocations")):
            name = coerce.text(entry.get("fullyQualifiedName")) or coerce.text(entry.get("name"))
            if name:
                return name
    return None
