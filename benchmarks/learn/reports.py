"""Reports in the true shapes of Trivy and OSV-Scanner about made-up packages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.learn.packages import KINDS, Advisory, advisories

WHEN = "2026-01-01T00:00:00Z"
LINK = "https://advisories.example.org/"


def reports(count: int, seed: int) -> dict[str, Any]:
    """Two reports that tell of `count` advisories, each of half of them, by file name."""
    every = list(advisories(count, seed))
    return {"trivy.json": trivy_report(every[: count // 2]), "osv.json": osv_report(every[count // 2 :])}


def trivy_report(found: Iterable[Advisory]) -> dict[str, Any]:
    """What `trivy fs --format json` would say (schema 2)."""
    listed = list(found)
    return {
        "SchemaVersion": 2,
        "CreatedAt": WHEN,
        "ArtifactName": ".",
        "ArtifactType": "filesystem",
        "Results": [
            {
                "Target": kind.manifest,
                "Class": "lang-pkgs",
                "Type": kind.trivy,
                "Vulnerabilities": [_vulnerability(each) for each in listed if each.kind == kind],
            }
            for kind in KINDS
        ],
    }


def _vulnerability(advisory: Advisory) -> dict[str, Any]:
    return {
        "VulnerabilityID": advisory.identifier,
        "PkgID": f"{advisory.package}@{advisory.installed}",
        "PkgName": advisory.package,
        "PkgIdentifier": {"PURL": advisory.purl},
        "InstalledVersion": advisory.installed,
        "FixedVersion": ", ".join(advisory.fixed),
        "Status": "fixed",
        "Layer": {},
        "SeveritySource": "ghsa",
        "PrimaryURL": LINK + advisory.identifier,
        "DataSource": {"ID": "ghsa", "Name": "Advisories of the proof", "URL": LINK},
        "Title": advisory.title,
        "Description": f"In {advisory.package} {advisory.installed}.",
        "Severity": "HIGH",
        "CweIDs": [advisory.cwe],
        "References": [LINK + advisory.identifier],
    }


def osv_report(found: Iterable[Advisory]) -> dict[str, Any]:
    """What `osv-scanner --format json` would say."""
    listed = list(found)
    return {
        "results": [
            {
                "source": {"path": kind.manifest, "type": "lockfile"},
                "packages": [_package(each) for each in listed if each.kind == kind],
            }
            for kind in KINDS
        ]
    }


def _package(advisory: Advisory) -> dict[str, Any]:
    identifier = advisory.identifier
    return {
        "package": {
            "name": advisory.package,
            "version": advisory.installed,
            "ecosystem": advisory.kind.osv,
        },
        "vulnerabilities": [_record(advisory)],
        "groups": [{"ids": [identifier], "aliases": [identifier], "max_severity": "7.5"}],
    }


def _record(advisory: Advisory) -> dict[str, Any]:
    return {
        "schema_version": "1.6.7",
        "id": advisory.identifier,
        "modified": WHEN,
        "summary": advisory.title,
        "details": f"In {advisory.package} {advisory.installed}.",
        "affected": [
            {
                "package": {
                    "name": advisory.package,
                    "ecosystem": advisory.kind.osv,
                    "purl": advisory.purl.partition("@")[0],
                },
                "ranges": [{"type": "ECOSYSTEM", "events": _events(advisory)}],
            }
        ],
        "references": [{"type": "WEB", "url": LINK + advisory.identifier}],
        "database_specific": {"severity": "HIGH", "cwe_ids": [advisory.cwe]},
    }


def _events(advisory: Advisory) -> list[dict[str, str]]:
    """The branch of the installed version, then the later ones, each from its .0.0 on."""
    events: list[dict[str, str]] = []
    for number, fixed in enumerate(advisory.fixed):
        events += [{"introduced": f"{fixed.split('.')[0]}.0.0" if number else "0"}, {"fixed": fixed}]
    return events
