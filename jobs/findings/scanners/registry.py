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

# The tools that SCANNERS reads: one scan of theirs may be delivered in several formats.
KNOWN_TOOLS: frozenset[str] = frozenset(scanner.name for scanner in SCANNERS)
