"""How much of stage 1's skill stage 2 kept."""

from __future__ import annotations


def retention_rate(stage1_exact: int | None, stage2_exact: int | None) -> float | None:
    """Stage 2's exact matches on stage 1's test part against stage 1's own, in percent; may exceed 100.

    Args:
        stage1_exact: Exact matches of stage 1's model; None if not measured.
        stage2_exact: Exact matches of stage 2's model on the same cases; None if not measured.

    Returns:
        None if one was not measured, or stage 1 had none: there was nothing to keep.

    Raises:
        ValueError: A count is negative.
    """
    if min(stage1_exact or 0, stage2_exact or 0) < 0:
        raise ValueError(f"Exact matches cannot be negative: {stage1_exact}, {stage2_exact}.")
    if not stage1_exact or stage2_exact is None:
        return None
    return 100 * stage2_exact / stage1_exact
