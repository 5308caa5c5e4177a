"""The command `findings`: what a run's reports told, chosen by tool, severity, CWE, package and fix."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import typer

from daemon import terminal
from daemon.cli.world import World
from jobs.errors import NotFoundError
from jobs.findings.model.finding import PROVENANCES, Finding, SeverityLevel
from jobs.fs import files

SEVERITIES: tuple[str, ...] = typing.get_args(SeverityLevel)


@dataclass(frozen=True)
class Wanted:
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
            _asked(self.tools, lambda tool: tool.lower() == finding.tool.lower())
            and _asked(self.severities, lambda level: level == finding.severity.level)
            and _asked(self.cwes, lambda cwe: cwe in finding.cwes)
            and _asked(self.packages, lambda name: package is not None and fnmatchcase(package, name.lower()))
            and _asked(self.fixes, lambda fix: fix == finding.fix.provenance)
        )


def _asked(values: tuple[str, ...], fits: Callable[[str], bool]) -> bool:
    return not values or any(map(fits, values))


def wanted(filters: dict[str, list[str] | None]) -> Wanted:
    """The filters as they were typed.

    Raises:
        typer.BadParameter: A severity, CWE or provenance that does not exist.
    """
    given = {name: tuple(values or ()) for name, values in filters.items()}
    return Wanted(
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


def findings(world: World, run_id: str, wanted: Wanted, json: bool) -> None:
    """The findings of a run that fit.

    Raises:
        NotFoundError: There is no such run, or its reports were not read yet.
    """
    run = world.store.open(run_id)
    path = run.folder.findings
    if not path.is_file():
        raise NotFoundError(
            f"The reports of run {run.run_id} were not read yet.",
            f"See how far it is: sectune runs show {run.run_id}",
        )
    every = [Finding.from_json(value) for value in files.read_jsonl(path)]
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
    """The package and version, the place in code, or the address."""
    if finding.package:
        return f"{finding.package.name} {finding.package.version or ''}".rstrip()
    place = finding.location
    if place:
        line = f":{place.start_line}" if place.valid and place.start_line else ""
        inside = f" in {place.context.name}" if place.context else ""
        return f"{place.path}{line}{inside}"
    return (finding.http.uri if finding.http else None) or finding.resource or "-"


def _fix(finding: Finding) -> str:
    fix = finding.fix
    return f"{fix.provenance} {fix.version}" if fix.version else fix.provenance
