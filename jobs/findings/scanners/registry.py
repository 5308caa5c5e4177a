"""The table of the scanners we read: a new one is one file and one line here."""

from __future__ import annotations

from jobs.findings.scanners import checkov, osv, semgrep, trivy, zap
from jobs.findings.scanners.scanner import Scanner

SCANNERS: tuple[Scanner, ...] = (
    trivy.SCANNER,
    semgrep.SCANNER,
    osv.SCANNER,
    zap.SCANNER,
    checkov.SCANNER,
)
