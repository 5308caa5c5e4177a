"""Places in SARIF: files and regions, snippets, and fixes that replace exactly a region."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from jobs.findings.model import coerce
from jobs.findings.model.finding import Location

_PLAIN = re.compile(r"[^.%:\\][^%:\\]*")  # nothing to undo
_DRIVE = re.compile(r"^/([A-Za-z]:/)")


def location(place: dict[str, Any], artifacts: tuple[Any, ...]) -> Location | None:
    """A SARIF location's file and region, or None where it names no file."""
    physical = coerce.mapping(place.get("physicalLocation"))
    path = _path(physical, artifacts) or coerce.text(place.get("resultFile"))
    if path is None:
        return None
    region = coerce.mapping(physical.get("region"))
    start = coerce.line(region.get("startLine"))
    end = coerce.line(region.get("endLine")) or start
    if start and end and end < start:
        end = start
    columns = coerce.line(region.get("startColumn")), coerce.line(region.get("endColumn"))
    snippet = _snippet(region, start, physical.get("contextRegion"))
    return Location(path, start, end, *columns, valid=start is not None, snippet=snippet)


def _snippet(region: dict[str, Any], first: int | None, context: Any) -> tuple[tuple[int, str], ...]:
    code = coerce.dig(region, "snippet", "text")
    if not isinstance(code, str) and isinstance(coerce.dig(context, "snippet", "text"), str):
        code, first = context["snippet"]["text"], coerce.line(context.get("startLine"))
    if not isinstance(code, str) or not first or not (clean := coerce.text(code)):
        return ()
    return coerce.code_lines(clean, first)


def _path(physical: dict[str, Any], artifacts: tuple[Any, ...]) -> str | None:
    artifact = coerce.mapping(physical.get("artifactLocation")) or coerce.mapping(
        physical.get("fileLocation")
    )
    uri = coerce.text(artifact.get("uri"))
    index = artifact.get("index")
    if uri is None and isinstance(index, int) and 0 <= index < len(artifacts):
        uri = coerce.text(coerce.dig(artifacts[index], "location", "uri"))
    return plain_path(uri) if uri else None


@lru_cache(maxsize=4096)  # a file has many results
def plain_path(uri: str) -> str:
    """A path out of an artifact's URI: `file:`, percents and backslashes undone; http stays."""
    if _PLAIN.fullmatch(uri):
        return uri
    if re.match(r"https?://", uri, re.IGNORECASE):
        return uri
    if uri.lower().startswith("file:"):
        uri = re.sub(r"^file:(//(localhost)?(?=[/<]|[A-Za-z]:)|//)?", "", uri, flags=re.IGNORECASE)
    path = (coerce.text(unquote(uri)) or uri).replace("\\", "/")
    path = _DRIVE.sub(r"\1", path)
    return path[2:] if path.startswith("./") and len(path) > 2 else path


def edit(fix: dict[str, Any], locations: tuple[Location, ...]) -> str | None:
    """A fix that replaces exactly the result's own region; others cannot be said as one edit."""
    changes = coerce.mappings(fix.get("artifactChanges") or fix.get("fileChanges"))
    replacements = coerce.mappings(changes[0].get("replacements")) if len(changes) == 1 else []
    if len(replacements) != 1 or not locations:
        return None
    region, place = coerce.mapping(replacements[0].get("deletedRegion")), locations[0]
    start = coerce.line(region.get("startLine"))
    columns = coerce.line(region.get("startColumn")), coerce.line(region.get("endColumn"))
    if None in (start, *columns) or (start, *columns) != (
        place.start_line,
        place.start_column,
        place.end_column,
    ):
        return None
    if (coerce.line(region.get("endLine")) or start) != place.end_line:
        return None
    inserted = coerce.dig(replacements[0], "insertedContent", "text")
    return inserted if isinstance(inserted, str) and inserted.isascii() else coerce.text(inserted)
