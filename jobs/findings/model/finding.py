"""The canonical finding: one normalised result of one or more scanners' reports.

Everything is immutable and JSON-able; `Finding.to_json` and `Finding.from_json` are inverse.
Missing is None (or an empty tuple), never an invented value.
"""

from __future__ import annotations

from typing import Any, Literal

from jobs.findings.model.structs import plain, record

SeverityLevel = Literal["critical", "high", "medium", "low", "info", "unknown"]
FixProvenance = Literal["edit_verified", "edit_tool", "version", "edit_untrusted", "advice", "link", "none"]
# Best first: merging keeps the fix whose provenance stands earlier.
PROVENANCES: tuple[FixProvenance, ...] = (
    "edit_verified",
    "edit_tool",
    "version",
    "edit_untrusted",
    "advice",
    "link",
    "none",
)
TRAINABLE: frozenset[FixProvenance] = frozenset({"edit_verified", "edit_tool", "version"})


@record(frozen=True, slots=True)
class Severity:
    """How bad it is: our five levels, the tool's own word, the CVSS base score and who gave it."""

    level: SeverityLevel = "unknown"
    raw: str | None = None
    score: float | None = None  # CVSS base score, 0.0 to 10.0
    origin: str | None = None


@record(frozen=True, slots=True)
class Context:
    """The function or class that holds the place, out of a checkout; lines as in `Location`.

    `path` is below the checkout. `code` is the whole text, None where it is too long to show.
    """

    kind: str  # function or class
    name: str
    path: str
    start_line: int
    end_line: int
    code: str | None = None


@record(frozen=True, slots=True)
class Location:
    """Where in the code: lines are 1-based and inclusive, columns 1-based, the end column exclusive.

    `valid` is False where the tool gave a placeholder (`[0, 0]`, line 1 of an image).
    `snippet` holds (line number, text without its newline) pairs.
    """

    path: str
    start_line: int | None = None
    end_line: int | None = None
    start_column: int | None = None
    end_column: int | None = None
    valid: bool = True
    snippet: tuple[tuple[int, str], ...] = ()
    context: Context | None = None


@record(frozen=True, slots=True)
class Package:
    """The vulnerable package; `manifest` is the file that declares or locks it, as the report names it."""

    name: str
    version: str | None = None
    ecosystem: str | None = None  # purl type where known: npm, pypi, maven, golang, cargo, deb, apk, ...
    purl: str | None = None
    manifest: str | None = None


@record(frozen=True, slots=True)
class Http:
    """The request a dynamic scanner (ZAP) saw the problem in."""

    method: str | None = None
    uri: str | None = None
    param: str | None = None
    evidence: str | None = None


@record(frozen=True, slots=True)
class Fix:
    """What mends the finding, and how far it can be trusted (`provenance`, best first in PROVENANCES).

    `edit` replaces exactly the text from the location's start to its end ("" deletes it).
    `version` is the version to upgrade to, `alternatives` the other fixed versions of the advisory.
    """

    provenance: FixProvenance = "none"
    edit: str | None = None
    version: str | None = None
    alternatives: tuple[str, ...] = ()
    advice: str | None = None
    link: str | None = None


@record(frozen=True, slots=True)
class Occurrence:
    """Where a record stood: the report's SHA-256, the archive member, a JSON pointer (or XPath) into it."""

    file_sha256: str
    member: str | None
    pointer: str


@record(frozen=True, slots=True)
class Finding:
    """One problem, however many reports told of it.

    `fingerprint` is ours (tool family, rule or advisory, package@version or path + normalised snippet)
    and does not depend on the order of files.
    """

    fingerprint: str
    tool: str  # trivy, semgrep, osv, zap, checkov, or a SARIF driver's own name
    format: str  # json, sarif, xml
    rule: str  # rule id, check id, alert reference or advisory id
    title: str
    message: str = ""
    tool_version: str | None = None
    aliases: tuple[str, ...] = ()
    severity: Severity = Severity()
    cwes: tuple[str, ...] = ()  # "CWE-79"
    location: Location | None = None
    package: Package | None = None
    http: Http | None = None
    resource: str | None = None
    fix: Fix = Fix()
    suppressed: bool = False
    occurrences: tuple[Occurrence, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A dict of plain JSON values."""
        found: dict[str, Any] = plain(self)
        return found

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Finding:
        """Rebuild a finding from `to_json`'s output (tuples may have become lists).

        Raises:
            TypeError: The dict has keys that a finding does not have.
            KeyError: A required key is missing.
        """
        nested: dict[str, Any] = {
            "severity": Severity(**value["severity"]),
            "fix": Fix(**{**value["fix"], "alternatives": tuple(value["fix"]["alternatives"])}),
            "location": _location(value["location"]),
            "package": Package(**value["package"]) if value["package"] else None,
            "http": Http(**value["http"]) if value["http"] else None,
            "occurrences": tuple(Occurrence(**item) for item in value["occurrences"]),
        }
        for name in ("aliases", "cwes", "warnings"):
            nested[name] = tuple(value[name])
        return cls(**{**value, **nested})


def _location(value: dict[str, Any] | None) -> Location | None:
    if value is None:
        return None
    snippet = tuple((int(number), str(text)) for number, text in value["snippet"])
    context = value.get("context")
    return Location(**{**value, "snippet": snippet, "context": Context(**context) if context else None})
