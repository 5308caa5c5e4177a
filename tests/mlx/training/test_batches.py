"""Batches, loss, schedule and memory, each alone and quick."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx_lm.models import olmo2
from msgspec.structs import replace

from config.job import of_stage
from config.load import load
from jobs.errors import OperatorError
from jobs.mlx.training import memory, optimizer
from jobs.mlx.training.batches import PAD_TO, Batches, Size, ahead, assemble, pad_length, plan, training_order
from jobs.mlx.training.batches import pad_positions as room_for
from jobs.mlx.training.distributed.group import ALONE
from jobs.mlx.training.examples import Encoded, Examples, encode
from jobs.mlx.training.loss import AnswerLoss, Objective
from jobs.mlx.training.request import Schedule
from jobs.mlx.training.schedule import learning_rate
from jobs.providers.mlx.request import training_request
from jobs.providers.provider import Training

LENGTHS = st.lists(st.integers(2, 900), min_size=1, max_size=80)


@given(LENGTHS, st.integers(1, 9))
def test_every_example_is_in_exactly_one_batch_of_the_asked_size(lengths: list[int], size: int) -> None:
    batches = plan(lengths, Size(size))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) == size for batch in batches[:-1])


@given(LENGTHS, st.integers(128, 4096))
def test_a_token_budget_is_kept_unless_one_example_alone_is_longer(lengths: list[int], budget: int) -> None:
    batches = plan(lengths, Size(1, budget))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        widest = pad_length(max(lengths[index] for index in batch))
        assert len(batch) == 1 or len(batch) * widest <= budget


@given(st.integers(1, 40), st.integers(0, 2**31), st.integers(0, 200))
def test_an_order_taken_up_in_the_middle_is_the_same_order(count: int, seed: int, start: int) -> None:
    whole = list(islice(training_order(count, seed), start + 50))
    assert list(islice(training_order(count, seed, start), 50)) == whole[start:]
    assert sorted(whole[:count]) == sorted(range(count))[: len(whole[:count])] or start + 50 < count


@given(st.integers(1, 100_000))
def test_positions_are_rounded_up_by_less_than_half(count: int) -> None:
    room = room_for(count)
    assert room >= count
    assert room % PAD_TO == 0
    assert room <= max(PAD_TO, 2 * count)
    assert count <= 64 or room < 1.5 * count + 1


def test_only_the_answers_tokens_carry_loss() -> None:
    rows = [Encoded(np.array([5, 6, 7, 8, 9]), 3), Encoded(np.array([1, 2, 3]), 1)]
    inputs, positions, targets, weights = assemble(rows)
    assert inputs.shape == (2, 32)
    assert inputs[0, :5].tolist() == [5, 6, 7, 8, 0]
    carried = int(weights.sum())
    assert carried == 4
    flat = inputs.reshape(-1)
    assert [(int(flat[p]), int(t)) for p, t in zip(positions[:carried], targets[:carried], strict=True)] == [
        (7, 8),
        (8, 9),
        (1, 2),
        (2, 3),
    ]


def test_the_next_result_is_made_before_it_is_asked_for() -> None:
    made: list[int] = []

    def work(item: int) -> int:
        made.append(item)
        return item * 10

    results = ahead(work, iter([1, 2, 3]))
    assert next(results) == 10
    assert list(results) == [20, 30]
    assert made == [1, 2, 3]


def tiny(tied: bool = True) -> olmo2.Model:
    mx.random.seed(0)
    config = {
        "model_type": "olmo2",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "rms_norm_eps": 1e-6,
        "vocab_size": 50,
        "tie_word_embeddings": tied,
    }
    model = olmo2.Model(olmo2.ModelArgs.from_dict(config))
    mx.eval(model.parameters())
    return model


@pytest.mark.parametrize("tied", [True, False])
def test_the_output_layer_at_loss_positions_alone_gives_the_same_loss(tied: bool) -> None:
    model = tiny(tied)
    rows = [Encoded(np.arange(1, 20), 7), Encoded(np.arange(3, 45), 30)]
    batch = [mx.array(array) for array in assemble(rows)]
    loss = AnswerLoss(model)
    assert loss.sparse
    sparse, count = loss(model, *batch)
    loss.sparse = False
    whole, same = loss(model, *batch)
    assert count.item() == same.item() == (19 - 7) + (42 - 30)
    assert sparse.item() == pytest.approx(whole.item(), rel=1e-6)


def test_a_model_that_changes_its_logits_afterwards_is_computed_whole() -> None:
    class Capped(olmo2.Model):
        def __call__(self, inputs, cache=None):  # type: ignore[no-untyped-def]
            return mx.tanh(super().__call__(inputs, cache))

    model = tiny()
    capped = Capped(model.args)
    capped.update(model.parameters())
    assert AnswerLoss(model).sparse
    assert not AnswerLoss(capped).sparse


def rates(schedule: Schedule, updates: int) -> list[float]:
    rate = learning_rate(1.0, schedule, updates)
    return [float(rate(mx.array(step))) if callable(rate) else rate for step in range(updates)]


def test_schedules_rise_and_fall_as_they_say() -> None:
    constant = Schedule(type="constant", warmup_ratio=0.0, min_lr_ratio=0.0, cycles=0.5)
    assert rates(constant, 5) == [1.0] * 5
    cosine = rates(Schedule(type="cosine", warmup_ratio=0.2, min_lr_ratio=0.1, cycles=0.5), 100)
    assert cosine[0] > 0
    assert cosine[:20] == sorted(cosine[:20])
    assert max(cosine) == pytest.approx(1.0)
    assert cosine[20:] == sorted(cosine[20:], reverse=True)
    assert cosine[-1] == pytest.approx(0.1, abs=0.01)
    linear = rates(Schedule(type="linear", warmup_ratio=0.0, min_lr_ratio=0.5, cycles=0.5), 11)
    assert linear[0] == pytest.approx(1.0)
    assert linear[5] == pytest.approx(1.0 - 0.5 * 5 / 11)


def test_a_gradient_norm_is_limited() -> None:
    values = {"SECTUNE__STAGE1__LEARNING_RATE": "1.0", "SECTUNE__TRAINING__MAX_GRADIENT_NORM": "0.5"}
    at, asked = Path("/nowhere"), of_stage(load(environ=values).settings, 1)
    params = training_request(asked, Training(1, at, at, at, at)).params
    clipped = optimizer.build(params, 10, accumulation=1)
    clipped.update(weights := {"w": mx.zeros(4)}, {"w": mx.full(4, 100.0)})
    seen = clipped.state["w"]["m"] / (1 - clipped.betas[0])
    assert mx.linalg.norm(seen).item() == pytest.approx(0.5, rel=1e-3)
    assert weights is not None
    assert optimizer.build(replace(params, max_gradient_norm=None), 10, 1).__class__.__name__ == "AdamW"


def test_out_of_memory_halves_the_batch_and_doubles_the_accumulation() -> None:
    tried: list[Size] = []

    def attempt(size: Size) -> None:
        tried.append(size)
        if size.examples > 2:
            raise RuntimeError("[metal::malloc] Attempting to allocate 9 bytes")

    fitting = memory.fit(Size(8), 1, attempt)
    assert (fitting.size.examples, fitting.accumulation, fitting.fallbacks) == (2, 4, 2)
    assert [size.examples for size in tried] == [8, 4, 2]


def test_one_example_that_does_not_fit_is_said_with_its_remedy_and_other_errors_are_not_swallowed() -> None:
    def too_large(size: Size) -> None:
        raise RuntimeError("Unable to allocate 1 GB")

    with pytest.raises(OperatorError, match="single example") as caught:
        memory.fit(Size(2), 1, too_large)
    assert "grad_checkpoint" in caught.value.remedy

    def broken(size: Size) -> None:
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        memory.fit(Size(2), 1, broken)


def test_trying_the_largest_batch_changes_nothing(tmp_path: Path) -> None:
    examples = written(tmp_path)
    model = tiny()
    mx.random.seed(5)
    key = mx.random.state[0].tolist()
    memory.largest_batch_fits(Objective(model, AnswerLoss(model)), examples, Size(2), ALONE)
    assert mx.random.state[0].tolist() == key


def written(folder: Path) -> Examples:
    encode([(list(range(1, 12)), 4), (list(range(1, 40)), 20), (list(range(2, 9)), 3)], folder, True)
    return Examples(folder)


def test_examples_come_back_from_their_memory_map(tmp_path: Path) -> None:
    examples = written(tmp_path)
    assert len(examples) == 3
    assert examples.lengths.tolist() == [11, 39, 7]
    assert examples[1].tokens.tolist() == list(range(1, 40))
    assert (examples[0].answer, examples[2].answer) == (4, 3)
    assert examples.answer_tokens == 7 + 19 + 4


def test_validation_goes_once_through_all_and_training_asks_after_each_step(tmp_path: Path) -> None:
    examples = written(tmp_path)
    steps: list[int] = []
    batches = Batches(Size(1), seed=3, start=4, after_step=steps.append)
    assert len(list(batches(examples))) == 3
    assert steps == []
    assert len(list(islice(batches(examples, loop=True), 4))) == 4
    assert steps == [5, 6, 7]
