"""Gates: what is below, what is above, what was not measured."""

from __future__ import annotations

from config.settings import Gates
from jobs.registry.gates import gates, missed
from jobs.runs.manifest import Validation

ASKED = Gates(stage1_exact_match=60.0, stage2_exact_match=70.0, retention=90.0, better_than_current=True)


def test_a_model_that_reaches_every_threshold_misses_none() -> None:
    scores = Validation(stage1_score=60.0, stage2_score=75.0, retention_rate=91.0)
    held = gates(ASKED, scores, current_score=75.0)
    assert [gate.name for gate in held] == [
        "stage1_exact_match",
        "stage2_exact_match",
        "retention",
        "better_than_current",
    ]
    assert missed(held) == []


def test_a_missed_gate_says_value_and_threshold() -> None:
    scores = Validation(stage1_score=61.0, stage2_score=12.25, retention_rate=95.0)
    assert missed(gates(ASKED, scores, current_score=80.0)) == [
        "stage2_exact_match is 12.2 % (70 % asked)",
        "better_than_current is 12.2 % (80 % asked)",
    ]


def test_what_was_not_measured_passes_no_gate() -> None:
    held = gates(ASKED, Validation(stage1_score=61.0, stage2_score=71.0), current_score=None)
    assert [gate.passed for gate in held] == [True, True, None]
    assert missed(held) == ["retention was not measured (90 % asked)"]


def test_a_gate_that_is_switched_off_does_not_exist() -> None:
    off = Gates(stage1_exact_match=None, stage2_exact_match=None, retention=None, better_than_current=False)
    assert gates(off, Validation(), current_score=99.0) == []
