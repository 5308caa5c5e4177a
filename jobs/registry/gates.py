"""The thresholds a model is held to before it is taken into use; what was not measured passes no gate."""

from __future__ import annotations

from config.settings import Gates
from jobs.runs.manifest import Gate, Validation


def gates(settings: Gates, scores: Validation, current_score: float | None) -> list[Gate]:
    """Hold a run's scores to the settings' thresholds.

    Args:
        settings: Thresholds in percent; null switches a gate off.
        scores: What was measured, in percent.
        current_score: Stage 2's exact match of the model in use now; None if there is none.
    """
    asked: list[tuple[str, float | None, float | None]] = [
        ("stage1_exact_match", scores.stage1_score, settings.stage1_exact_match),
        ("stage2_exact_match", scores.stage2_score, settings.stage2_exact_match),
        ("retention", scores.retention_rate, settings.retention),
    ]
    if settings.better_than_current and current_score is not None:
        asked.append(("better_than_current", scores.stage2_score, current_score))
    return [
        Gate(
            name=name, value=value, threshold=threshold, passed=None if value is None else value >= threshold
        )
        for name, value, threshold in asked
        if threshold is not None
    ]


def missed(held: list[Gate]) -> list[str]:
    """The gates that were not passed, in words."""
    return [
        f"{gate.name} was not measured ({gate.threshold:g} % asked)"
        if gate.value is None
        else f"{gate.name} is {gate.value:.1f} % ({gate.threshold:g} % asked)"
        for gate in held
        if not gate.passed
    ]
