"""Code context out of a checkout of the scanned sources: never a byte from outside of it.

Reports name files as the scan's machine saw them; what a build server puts in front is taken off.
"""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from jobs.errors import OperatorError
from jobs.findings.model.finding import Finding, Location
from jobs.findings.model.structs import replace
from jobs.findings.source import enclosing

# Larger sources are generated or minified; nothing is learnt from them.
MAX_SOURCE_BYTES = 2 << 20
MAX_SNIPPET_LINES = 200
_DRIVE = re.compile(r"^[A-Za-z]:/")
# Where build servers and container images keep the sources: github.com, gitlab.com, Azure, CircleCI, Jenkins,
# Bitbucket, AWS CodeBuild, Drone, Google Cloud Build, and the folders that scanners' images mount.
_PREFIXES = tuple(
    re.compile(pattern)
    for pattern in (
        r"/(?:home|Users)/runner/work/[^/]+/[^/]+/",
        r"/__w/[^/]+/[^/]+/",
        r"/[Aa]/[^/]+/[^/]+/",
        r"/github/workspace/",
        r"/github/home/",
        r"/builds/(?:[^/]+/)+?(?=[^/]+/)",
        r"/(?:home/vsts|azp|agent)/_?work/\d+/s/",
        r"/home/circleci/(?:project|repo)/",
        r"/(?:var/(?:lib/)?jenkins(?:_home)?|home/jenkins(?:/agent)?)/workspace/[^/]+/",
        r"/opt/atlassian/pipelines/agent/build/",
        r"/codebuild/output/src\d+/src/(?:[^/]+/){0,3}?",
        r"/drone/src/",
        r"/zap/wrk/",
        r"/(?:src|app|apps|code|repo|project|workspace|workdir|work|source|sources|scan|data|tf|iac|target)/",
    )
)


@dataclass(frozen=True, slots=True)
class CheckoutCounts:
    """What a checkout gave: findings with a place in code, and how many of them were found in it.

    Attributes:
        places: Findings that name a line of a file.
        found: Those whose file is in the checkout and whose lines are as the report says.
        missing: Those whose file is not in it.
        different: Those whose reported code is not what stands there: another version was scanned.
    """

    places: int
    found: int
    missing: int
    different: int


def add_context(findings: Iterable[Finding], root: Path) -> tuple[tuple[Finding, ...], CheckoutCounts]:
    """Give findings the code around them: the reported lines where the report has none, what encloses them.

    Args:
        findings: After merging; fingerprints do not change.
        root: A folder with the sources.

    Returns:
        The findings in the same order, and what became of them.

    Raises:
        OperatorError: The checkout is no folder that can be read.
    """
    checkout = Checkout(root)
    given = list(findings)
    by_path: dict[str, list[int]] = defaultdict(list)
    for number, finding in enumerate(given):
        if finding.location and finding.location.valid and finding.location.start_line:
            by_path[finding.location.path].append(number)
    counts = {"found": 0, "missing": 0, "different": 0}
    for path, numbers in by_path.items():
        source = checkout.read(path)
        for number in numbers:
            given[number], fate = _with_source(given[number], source)
            counts[fate] += 1
    return tuple(given), CheckoutCounts(places=sum(map(len, by_path.values())), **counts)


class Checkout:
    """A folder with the scanned sources."""

    def __init__(self, root: Path) -> None:
        """Open it.

        Raises:
            OperatorError: It is no folder that can be read.
        """
        self.root = Path(os.path.realpath(root))
        if not self.root.is_dir():
            raise OperatorError(
                f"The checkout {root} is no folder.",
                "Name the folder that was scanned, or leave --source and findings.source out.",
            )

    def read(self, path: str) -> enclosing.SourceFile | None:
        """The source file that a report calls `path`, or None where the checkout has no such text file."""
        for name in candidates(path, self.root):
            data = self._bytes(PurePosixPath(name))
            if data is not None and b"\0" not in data[:8192]:
                return enclosing.SourceFile(name, data)
        return None

    def _bytes(self, name: PurePosixPath) -> bytes | None:
        """A regular file's content; folders are entered one by one, so that no link is ever followed."""
        parts = name.parts
        if not parts or name.is_absolute() or ".." in parts:
            return None
        opened = [os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)]
        try:
            for part in parts[:-1]:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                opened.append(os.open(part, flags, dir_fd=opened[-1]))
            # Without O_NONBLOCK a named pipe would wait for a writer for ever.
            opened.append(os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=opened[-1]))
            return _regular(opened[-1])
        except (OSError, ValueError):  # not there, a link, no permission; a name with a zero byte
            return None
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _regular(descriptor: int) -> bytes | None:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_SOURCE_BYTES:
        return None
    with os.fdopen(os.dup(descriptor), "rb") as stream:
        return stream.read(MAX_SOURCE_BYTES)


def candidates(path: str, root: Path) -> Iterator[str]:
    """The names below the checkout that a report's path can mean, the likeliest first."""
    plain = path.replace("\\", "/").removeprefix("file://")
    if "://" in plain:
        return
    plain = _DRIVE.sub("/", plain)
    if plain.startswith(f"{root.as_posix()}/"):
        yield plain.removeprefix(f"{root.as_posix()}/")
    if not plain.startswith("/"):
        yield plain.removeprefix("./")
        return
    for prefix in _PREFIXES:
        match = prefix.match(plain)
        if match:
            yield from _below(plain[match.end() :], 1)
            break
    yield plain.lstrip("/")  # Checkov and others write the path from the repository's root with a slash
    yield from _below(plain.lstrip("/").partition("/")[2], 2)


def _below(rest: str, least: int) -> Iterator[str]:
    """The path, then without its first folders; a lone name only if it is all there is."""
    parts = [part for part in rest.split("/") if part]
    for start in range(max(1, len(parts) - max(least, 2) + 1)):
        if len(parts) - start >= least:
            yield "/".join(parts[start:])


def _with_source(finding: Finding, source: enclosing.SourceFile | None) -> tuple[Finding, str]:
    place = finding.location
    if place is None or place.start_line is None or source is None:
        return finding, "missing"
    if not _agrees(place, source.lines):
        warning = "the checkout holds other code at this place: another version was scanned"
        return replace(finding, warnings=tuple(sorted({*finding.warnings, warning}))), "different"
    context = enclosing.enclosing(source, place.start_line, place.end_line or place.start_line)
    snippet = place.snippet or _snippet(place, source.lines)
    return replace(finding, location=replace(place, snippet=snippet, context=context)), "found"


def _agrees(place: Location, lines: tuple[str, ...]) -> bool:
    """Whether the reported lines are there, and read as reported where the report quotes them whole."""
    if (place.start_line or 0) > len(lines):
        return False
    for number, text in place.snippet:
        if number > len(lines) or " ".join(text.split()) not in " ".join(lines[number - 1].split()):
            return False
    return True


def _snippet(place: Location, lines: tuple[str, ...]) -> tuple[tuple[int, str], ...]:
    first = place.start_line or 1
    last = min(place.end_line or first, len(lines), first + MAX_SNIPPET_LINES - 1)
    return tuple((number, lines[number - 1]) for number in range(first, last + 1))
