"""The report's charts, as plotly figures in plain JSON; a number that was not measured leaves a gap."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

COLOURS = {
    "train": "#2563eb",
    "valid": "#d97706",
    "base": "#9ca3af",
    "stage1": "#2563eb",
    "stage2": "#059669",
}
Row = dict[str, Any]


def loss_chart(rows: Sequence[Row], title: str) -> dict[str, Any]:
    """Training and validation loss over the iterations; a vertical line where a training was taken up again.

    Args:
        rows: The lines of a metrics.jsonl.
        title: The chart's title.
    """
    marks = [row["iteration"] for row in rows if row.get("resumed")]
    return {
        "data": [
            _line(rows, "train_loss", "training", COLOURS["train"]),
            _line(rows, "valid_loss", "validation", COLOURS["valid"], markers=True),
        ],
        "layout": {
            **_layout(title, "nats per answer token"),
            "shapes": [
                {
                    "type": "line",
                    "x0": mark,
                    "x1": mark,
                    "yref": "paper",
                    "y0": 0,
                    "y1": 1,
                    "line": {"dash": "dot"},
                }
                for mark in marks
            ],
            "annotations": [
                {"x": mark, "yref": "paper", "y": 1, "text": "resumed", "showarrow": False, "textangle": -90}
                for mark in marks
            ],
        },
    }


def line_chart(stages: Sequence[Sequence[Row]], key: str, title: str, unit: str) -> dict[str, Any]:
    """One number of both stages over their iterations."""
    return {
        "data": [
            _line(rows, key, f"stage {number}", COLOURS[f"stage{number}"])
            for number, rows in enumerate(stages, 1)
        ],
        "layout": _layout(title, unit),
    }


def score_chart(groups: Sequence[tuple[str, dict[str, float | None]]], title: str) -> dict[str, Any]:
    """Percentages of base model, stage 1 and stage 2 beside each other, a group for each test part."""
    labels = ("base", "stage1", "stage2")
    return {
        "data": [
            {
                "type": "bar",
                "name": label,
                "x": [name for name, _ in groups],
                "y": [scores.get(label) for _, scores in groups],
                "marker": {"color": COLOURS[label]},
            }
            for label in labels
        ],
        "layout": {
            **_layout(title, "%", x=""),
            "barmode": "group",
            "yaxis": {"range": [0, 100], "title": {"text": "%"}},
        },
    }


def _line(rows: Sequence[Row], key: str, name: str, colour: str, markers: bool = False) -> dict[str, Any]:
    points = [(row["iteration"], row[key]) for row in rows if row.get(key) is not None]
    return {
        "type": "scatter",
        "mode": "lines+markers" if markers or len(points) < 3 else "lines",
        "name": name,
        "x": [x for x, _ in points],
        "y": [y for _, y in points],
        "line": {"color": colour},
    }


def _layout(title: str, y: str, x: str = "iteration") -> dict[str, Any]:
    return {
        "title": {"text": title, "font": {"size": 15}, "x": 0.02, "xanchor": "left"},
        "height": 300,
        "margin": {"l": 55, "r": 15, "t": 45, "b": 40},
        "xaxis": {"title": {"text": x}},
        "yaxis": {"title": {"text": y}},
        "legend": {"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"},
    }


def sparkline(values: Sequence[float], width: int = 40) -> str:
    """A curve in one line of block characters; empty for fewer than two values."""
    if len(values) < 2:
        return ""
    step = max(1.0, len(values) / width)
    shown = [values[int(number * step)] for number in range(min(width, len(values)))]
    low, high = min(shown), max(shown)
    blocks = "▁▂▃▄▅▆▇█"
    span = (high - low) or 1.0
    return "".join(blocks[int((value - low) / span * (len(blocks) - 1))] for value in shown)
