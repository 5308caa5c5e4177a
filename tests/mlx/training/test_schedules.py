"""Learning rates over a training: polynomial, and cosine with more than one fall."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import mlx.optimizers as optim
import pytest

from jobs.mlx.training.request import Schedule
from jobs.mlx.training.schedule import learning_rate


def rates(updates: int, **schedule: Any) -> list[float]:
    values = {"warmup_ratio": 0.0, "min_lr_ratio": 0.0, "cycles": 0.5, **schedule}
    rate = learning_rate(1.0, Schedule(**values), updates)
    return [float(rate(mx.array(step))) if callable(rate) else rate for step in range(updates)]


def test_polynomial_falls_with_the_square_of_what_is_left_and_ends_at_its_floor() -> None:
    falling = rates(100, type="polynomial", min_lr_ratio=0.2)
    assert falling == sorted(falling, reverse=True)
    assert falling[0] == 1.0
    assert falling[50] == pytest.approx(0.2 + 0.8 * 0.25)
    assert falling[99] == pytest.approx(0.2, abs=1e-3)


def test_polynomial_rises_first_where_a_warm_up_is_asked_for() -> None:
    risen = rates(100, type="polynomial", warmup_ratio=0.2)
    assert 0 < risen[0] < risen[10] < max(risen) == pytest.approx(1.0)
    assert risen[20:] == sorted(risen[20:], reverse=True)


def test_cosine_of_half_a_cycle_is_mlxs_own_to_the_bit() -> None:
    own = optim.cosine_decay(1.0, 50, 0.1)
    expected = [float(own(mx.array(step))) for step in range(50)]
    assert rates(50, type="cosine", min_lr_ratio=0.1) == expected


def test_a_whole_cycle_comes_back_and_one_and_a_half_end_below() -> None:
    whole = rates(101, type="cosine", cycles=1)
    assert min(whole) == pytest.approx(0.0, abs=1e-3)
    assert whole.index(min(whole)) in (50, 51)
    assert whole[-1] > 0.99
    more = rates(301, type="cosine", cycles=1.5, min_lr_ratio=0.1)
    assert more[200] == pytest.approx(1.0, abs=1e-3)
    assert more[-1] == pytest.approx(0.1, abs=1e-3)


def test_both_constants_stay_where_they_are() -> None:
    assert rates(5, type="constant", min_lr_ratio=0.5) == [1.0] * 5
