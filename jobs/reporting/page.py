"""The report of a run: everything on one page, with plotly's script inside it, nothing from a network."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from jobs.fs import files
from jobs.reporting.charts import line_chart, loss_chart, score_chart
from jobs.runs.folder import RunFolder
from jobs.runs.manifest import Manifest, seconds_between

CASES = 10


def write_report(folder: RunFolder, manifest: Manifest) -> Path:
    """Write `report.html` into a run's folder.

    Args:
        folder: The run's folder; what is not there yet is left out of the report.
        manifest: The run's manifest.

    Returns:
        The file.
    """
    environment = Environment(
        loader=PackageLoader("jobs.reporting"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["number"] = _number
    environment.filters["duration"] = _duration
    page = environment.get_template("report.html.j2").render(
        manifest=manifest,
        stages=[_stage(manifest, number) for number in (1, 2)],
        steps=[_step(step) for step in manifest.steps],
        charts=[_script(chart) for chart in _charts(folder, manifest)],
        cases=_cases(folder),
        plotly=Markup(_plotly()),
    )
    files.write_text(folder.report_page, page)
    return folder.report_page


def _plotly() -> str:
    # Read, not imported: importing plotly would bring more into the daemon than this one file.
    return resources.files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")


def _charts(folder: RunFolder, manifest: Manifest) -> list[dict[str, Any]]:
    rows = [_rows(folder.stage(number).metrics) for number in (1, 2)]
    scores = manifest.validation
    groups = [
        (
            "stage 1's test part",
            {
                "base": scores.base_score_stage1,
                "stage1": scores.stage1_score,
                "stage2": scores.stage2_score_on_stage1,
            },
        ),
        (
            "stage 2's test part",
            {
                "base": scores.base_score_stage2,
                "stage1": scores.stage1_score_on_stage2,
                "stage2": scores.stage2_score,
            },
        ),
    ]
    return [
        loss_chart(rows[0], "Stage 1: loss"),
        loss_chart(rows[1], "Stage 2: loss"),
        line_chart(rows, "learning_rate", "Learning rate", "rate"),
        line_chart(rows, "tokens_per_second", "Speed", "answer tokens per second"),
        line_chart(rows, "peak_memory_gb", "Peak memory", "GB"),
        score_chart(groups, "Exact match"),
    ]


def _rows(path: Path) -> list[dict[str, Any]]:
    return list(files.read_jsonl(path)) if path.exists() else []


def _script(chart: dict[str, Any]) -> Markup:
    # Inside a script element only "</" and "<!--" can end it; both are made harmless.
    text = json.dumps(chart, allow_nan=False).replace("<", "\\u003c")
    return Markup(text)


def _stage(manifest: Manifest, number: int) -> dict[str, Any]:
    stage = manifest.stage(number)
    return {
        "number": number,
        "stats": stage.dataset_stats,
        "dropped": sorted(stage.dataset_stats.get("dropped", {}).items(), key=lambda item: -item[1]),
        "params": {key: value for key, value in stage.training_params.items() if key != "measured"},
        "measured": stage.training_params.get("measured", {}),
        "seconds": stage.duration_seconds,
    }


def _step(step: Any) -> dict[str, Any]:
    took = seconds_between(step.started_at, step.ended_at) if step.started_at and step.ended_at else None
    return {
        "name": step.name,
        "status": step.status,
        "seconds": took,
        "remark": step.reason or (step.error and step.error.message) or "",
    }


def _cases(folder: RunFolder) -> list[dict[str, Any]]:
    path = folder.stage2.evaluation_results
    if not path.exists():
        return []
    return [
        {
            "id": detail["id"],
            "prompt": detail["prompt"],
            "reference": detail["reference"],
            "answers": [
                (label, verdict["text"], verdict["exact_match"])
                for label, verdict in detail["models"].items()
                if verdict is not None
            ],
        }
        for detail in files.read_json(path)["detailed_results"][:CASES]
    ]


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{value:.{digits}f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
    )
