"""What two findings of one problem have in common, whatever else one of them leaves out."""

from __future__ import annotations

from functools import lru_cache

from jobs.findings.model import packages
from jobs.findings.model.finding import Finding, Location, Package


def package_key(finding: Finding) -> tuple[str, str, str]:
    """Tool, package by its plain name, installed version."""
    package = finding.package or Package("")
    return finding.tool, packages.plain_name("pypi", package.name), package.version or ""


def location_key(finding: Finding) -> tuple[str, ...]:
    """Tool, rule and a file's lines; of an alert its resource, of a result without lines its message."""
    where = finding.location
    if finding.http or (where is None and finding.tool == "zap"):
        return finding.tool, finding.rule, finding.resource or ""
    if where is None or where.start_line is None:
        # Without a line the message is all that tells two results apart.
        path = plain_path(where.path) if where else ""
        return finding.tool, finding.rule, path, finding.message, finding.resource or ""
    return finding.tool, finding.rule, plain_path(where.path), str(where.start_line), str(where.end_line)


@lru_cache(maxsize=4096)
def plain_path(path: str) -> str:
    """A path without what only some writers put in front of it."""
    return path.replace("\\", "/").removeprefix("./").lstrip("/")


def reported_code(where: Location) -> str:
    """The reported lines without indentation and empty ones; what stands around them differs by tool."""
    last = where.end_line or where.start_line or 0
    inside = [text for number, text in where.snippet if (where.start_line or 0) <= number <= last]
    return "\n".join(stripped for text in inside if (stripped := " ".join(text.split())))
