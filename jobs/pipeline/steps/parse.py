"""Step parse: the delivery's reports become findings, and every file's fate is recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from jobs.datasets.fixes.offers import refusal_of
from jobs.errors import DeliveryRefused
from jobs.findings.files.limits import limits_of
from jobs.findings.parse import FileReport, Parsed, parse_paths
from jobs.fs import files
from jobs.pipeline.context import Job
from jobs.runs.manifest import Input


def run(job: Job) -> Sequence[Path]:
    """Read the reports, merge what they say, write findings and skipped records.

    Raises:
        DeliveryRefused: There is nothing in it that a model could learn; said before any training.
    """
    parsed = parse_paths([job.folder.reports], limits_of(job.settings), source=job.settings.findings.source)
    files.private_folder(job.folder.findings.parent)
    files.write_jsonl(job.folder.findings, (finding.to_json() for finding in parsed.findings))
    files.write_jsonl(job.folder.skipped, (asdict(skipped) for skipped in parsed.skipped))
    job.manifest.inputs = _inputs(job.manifest.inputs, parsed.files)
    job.save()
    _refuse_the_unlearnable(parsed, job.settings.datasets.include_advice)
    return [job.folder.findings, job.folder.skipped]


def _inputs(before: Sequence[Input], reports: Sequence[FileReport]) -> list[Input]:
    # What was judged on arrival (refused, a report without findings) is not among the stored reports, but
    # stays on the record; what an earlier try of this step wrote is there again, and counts once.
    read = [_input(report) for report in reports]
    again = {(item.name, item.sha256) for item in read}
    return read + [
        item for item in before if item.verdict != "received" and (item.name, item.sha256) not in again
    ]


def _input(report: FileReport) -> Input:
    return Input(
        name=report.path.split("/", 1)[-1],  # below reports/ the first folder is the content's hash
        sha256=report.sha256 or None,
        tool=report.tool,
        format=report.format,
        verdict=report.verdict,
        findings=report.raw_findings,
        reason=report.reason,
    )


def _refuse_the_unlearnable(parsed: Parsed, include_advice: bool) -> None:
    if not parsed.findings:
        raise DeliveryRefused("The delivery holds no finding, so there is nothing to learn from it.")
    reasons = Counter(refusal_of(finding, include_advice) for finding in parsed.findings)
    if reasons[None]:
        return
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    raise DeliveryRefused(
        f"None of the {len(parsed.findings)} findings comes with a fix that could be learned ({told}).",
        "Deliver reports of rules that have fixes, or of packages that have fixed versions; "
        "for no_snippet, the SARIF of the same scan too, or a checkout of the code in findings.source.",
    )
