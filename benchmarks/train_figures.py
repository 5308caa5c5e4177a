"""The training benchmark's figures, and how they are told."""

from __future__ import annotations

import statistics
from typing import Any

SIDES = ("windows", "ours", "files")


def _ratios(results: dict[str, Any], quantity: str, other: str) -> list[float]:
    """Ours / the other side's, round by round."""
    pairs = zip(results["measured"]["ours"], results["measured"][other], strict=True)
    return [mine[quantity] / theirs[quantity] for mine, theirs in pairs]


def figures_of(results: dict[str, Any]) -> dict[str, Any]:
    """The figures that have an aim, and what they are made of; medians of the rounds."""
    tokens = results["tokens"]
    inside = {name: tokens[name]["answer_tokens_inside"] / tokens[name]["examples"] for name in SIDES}
    share = {name: tokens[name]["answer_tokens_inside"] / tokens[name]["tokens_inside"] for name in SIDES}
    gain = inside["ours"] / inside["files"]
    learned = [gain / ratio for ratio in _ratios(results, "seconds", "files")]
    median = statistics.median
    return {
        "time_ratio": median(_ratios(results, "seconds", "windows")),
        "time_ratios": _ratios(results, "seconds", "windows"),
        "processor_ratio": median(_ratios(results, "cpu_seconds", "windows")),
        "first_pass_ratio": median(_ratios(results, "first_pass_seconds", "windows")),
        "memory_ratio": median(_ratios(results, "peak_memory_gb", "windows")),
        "answer_token_ratio": median(learned),
        "answer_token_ratios": learned,
        "answer_token_processor_ratio": gain / median(_ratios(results, "cpu_seconds", "files")),
        "share_factor": share["ours"] / share["files"],
        "speed_factor": median(learned) / (share["ours"] / share["files"]),
        "file_memory_ratio": median(_ratios(results, "peak_memory_gb", "files")),
    }


def describe(results: dict[str, Any]) -> str:
    """The whole comparison as a text."""
    figures = results["figures"]
    return "\n".join(
        [
            f"OLMo-2 {results['shape']}, {results['blas']}, {results['rounds']} rounds",
            *_sides(results),
            "",
            f"same examples, batch 1: time {figures['time_ratio']:.3f} of stock's (aim 0.95; rounds "
            f"{_list(figures['time_ratios'])}; processor {figures['processor_ratio']:.3f}; "
            f"first pass {figures['first_pass_ratio']:.3f})",
            f"same examples, batch 1: peak memory {figures['memory_ratio']:.3f} of stock's (aim 0.95)",
            f"windows against whole files: {figures['answer_token_ratio']:.2f} times as many answer tokens "
            f"per second (aim 5; rounds {_list(figures['answer_token_ratios'])}; by the processor's time "
            f"{figures['answer_token_processor_ratio']:.2f})",
            f"  = {figures['share_factor']:.2f} (share of tokens that are learned) x "
            f"{figures['speed_factor']:.2f} (tokens per second); peak memory "
            f"{figures['file_memory_ratio']:.3f} of stock's",
            "",
            *_curves(results["measured"]),
            "",
        ]
    )


def _sides(results: dict[str, Any]) -> list[str]:
    lines = [
        "side     examples  tokens/pair  inside  answer inside  no answer  s/example  answer tok/s  peak GB"
    ]
    for name in SIDES:
        count, rounds = results["tokens"][name], results["measured"][name]
        seconds = statistics.median(each["seconds"] for each in rounds)
        peak = statistics.median(each["peak_memory_gb"] for each in rounds)
        examples = count["examples"]
        lines.append(
            f"{name:8} {examples:8}  {count['tokens'] / examples:11.0f}  "
            f"{count['tokens_inside'] / examples:6.0f}  {count['answer_tokens_inside'] / examples:13.0f}  "
            f"{count['without_any_answer']:9}  {seconds:9.3f}  "
            f"{count['answer_tokens_inside'] / examples / seconds:12.0f}  {peak:7.3f}"
        )
    return lines


def _curves(measured: dict[str, Any]) -> list[str]:
    """The first round's losses beside each other: nats per token that carries loss."""
    columns = {name: dict(map(tuple, measured[name][0]["losses"])) for name in SIDES}
    steps = sorted(set().union(*columns.values()))
    cells = {
        step: "  ".join(
            f"{columns[name][step]:7.3f}" if step in columns[name] else "      -" for name in SIDES
        )
        for step in steps
    }
    return ["loss at    windows     ours    files", *(f"{step:7}    {cells[step]}" for step in steps)]


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)
