"""`sectune findings`: what a run's reports told, chosen by tool, severity, CWE, package and fix."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Annotated

import typer

from daemon import terminal
from daemon.cli.arguments import Json, RunId
from daemon.cli.context import context_of
from jobs.errors import NotFoundError
from jobs.findings.model.finding import PROVENANCES, Finding, SeverityLevel
from jobs.fs import files
from jobs.runs.store import Run

SEVERITIES: tuple[str, ...] = typing.get_args(SeverityLevel)
app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class FindingFilter:
    """Which findings: of each list any one value fits, of the lists all; an empty list asks nothing."""

    tools: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    cwes: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    fixes: tuple[str, ...] = ()

    def fits(self, finding: Finding) -> bool:
        """Whether a finding is asked for."""
        package = finding.package.name.lower() if finding.package else None
        return (
            _fits_any(self.tools, lambda tool: tool.lower() == finding.tool.lower())
            and _fits_any(self.severities, lambda level: level == finding.severity.level)
            and _fits_any(self.cwes, lambda cwe: cwe in finding.cwes)
            and _fits_any(
                self.packages, lambda name: package is not None and fnmatchcase(package, name.lower())
            )
            and _fits_any(self.fixes, lambda fix: fix == finding.fix.provenance)
        )


def _is_called(package: str | None, pattern: str) -> bool:
    return package is not None and fnmatchcase(package, pattern.lower())


def _fits_any(values: tuple[str, ...], fits: Callable[[str], bool]) -> bool:
    return not values or any(map(fits, values))


def parse_filter(options: dict[str, list[str] | None]) -> FindingFilter:
    """The filter as it was typed, by the names of its options.

    Raises:
        typer.BadParameter: A severity, CWE or provenance that does not exist.
    """
    given = {name: tuple(values or ()) for name, values in options.items()}
    return FindingFilter(
        tools=given["tool"],
        severities=tuple(_one_of(value, SEVERITIES, "--severity") for value in given["severity"]),
        cwes=tuple(map(_cwe, given["cwe"])),
        packages=given["package"],
        fixes=tuple(_one_of(value, PROVENANCES, "--fix") for value in given["fix"]),
    )


def _one_of(value: str, known: Iterable[str], option: str) -> str:
    plain = value.lower().replace("-", "_")
    if plain not in known:
        raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}", param_hint=option)
    return plain


def _cwe(value: str) -> str:
    digits = value.upper().removeprefix("CWE-")
    if not digits.isdecimal():
        raise typer.BadParameter(f"{value!r} is no CWE: write CWE-79 or 79", param_hint="--cwe")
    return f"CWE-{int(digits)}"


@app.command()
def findings(  # noqa: PLR0913 - typer makes an option of each argument
    context: typer.Context,
    run_id: RunId,
    tool: Annotated[list[str] | None, typer.Option(help="Only of this tool; repeatable.")] = None,
    severity: Annotated[list[str] | None, typer.Option(help="Only of this severity.")] = None,
    cwe: Annotated[list[str] | None, typer.Option(help="Only with this CWE.")] = None,
    package: Annotated[list[str] | None, typer.Option(help="Only of this package; * fits all.")] = None,
    fix: Annotated[list[str] | None, typer.Option(help="Only with a fix of this provenance.")] = None,
    json: Json = False,
) -> None:
    """What a run's reports told."""
    store = context_of(context).store
    given = {"tool": tool, "severity": severity, "cwe": cwe, "package": package, "fix": fix}
    wanted = parse_filter(given)
    run = store.open(run_id)
    every = read_findings(run)
    chosen = [finding for finding in every if wanted.fits(finding)]
    if json:
        shown = [finding.to_json() for finding in chosen]
        terminal.emit_json(
            {"run_id": run.run_id, "findings": shown, "chosen": len(chosen), "all": len(every)}
        )
        return
    if chosen:
        ordered = sorted(chosen, key=lambda finding: SEVERITIES.index(finding.severity.level))
        terminal.table(("severity", "tool", "rule", "cwe", "where", "fix", "title"), map(_row, ordered))
    terminal.note(f"{len(chosen)} of {len(every)} findings of run {run.run_id}")


def read_findings(run: Run) -> list[Finding]:
    """All findings of a run.

    Raises:
        NotFoundError: Its reports were not read yet.
    """
    if not run.folder.findings.is_file():
        raise NotFoundError(
            f"The reports of run {run.run_id} were not read yet.",
            f"See how far it is: sectune runs show {run.run_id}",
        )
    return [Finding.from_json(value) for value in files.read_jsonl(run.folder.findings)]


def _row(finding: Finding) -> tuple[str, ...]:
    return (
        finding.severity.level,
        finding.tool,
        finding.rule,
        ", ".join(finding.cwes),
        where(finding),
        _fix(finding),
        finding.title,
    )


def where(finding: Finding) -> str:
    """The package and version, the location in code, or the address."""
    if finding.package:
        return f"{finding.package.name} {finding.package.version or ''}".rstrip()
    location = finding.location
    if location:
        line = f":{location.start_line}" if location.valid and location.start_line else ""
        inside = f" in {location.context.name}" if location.context else ""
        return f"{location.path}{line}{inside}"
    return (finding.http.uri if finding.http else None) or finding.resource or "-"


def _fix(finding: Finding) -> str:
    fix = finding.fix
    return f"{fix.provenance} {fix.version}" if fix.version else fix.provenance
