from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from mlx.utils import tree_flatten
from mlx_lm.models import olmo2

from jobs.mlx.toy_models import induction_heads

VOCABULARY = 300
CONFIG = {
    "model_type": "olmo2",
    "hidden_size": 128,
    "num_hidden_layers": 2,
    "intermediate_size": 256,
    "num_attention_heads": 4,
    "rms_norm_eps": 1e-6,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 512,
    "tie_word_embeddings": True,
}


def laid(seed: int = 1) -> Any:
    mx.random.seed(seed)
    model = olmo2.Model(olmo2.ModelArgs.from_dict(CONFIG))
    induction_heads.lay(model, seed)
    return model


@pytest.fixture(scope="module")
def model() -> Any:
    return laid()


def attention_of(attention: Any, states: mx.array) -> np.ndarray:
    """The attention of the first head: (positions, positions)."""
    length, heads = states.shape[1], attention.n_heads

    def turned(project: Any, norm: Any) -> mx.array:
        split = norm(project(states)).reshape(1, length, heads, -1)
        return attention.rope(split.transpose(0, 2, 1, 3))

    queries = turned(attention.q_proj, attention.q_norm)
    keys = turned(attention.k_proj, attention.k_norm)
    later = mx.triu(mx.full((length, length), -1e9), 1)
    scores = queries @ keys.transpose(0, 1, 3, 2) * attention.scale + later
    looked: np.ndarray = np.array(mx.softmax(scores, -1)[0, 0])
    return looked


def tokens_of_their_own(count: int) -> np.ndarray:
    return np.random.default_rng(0).permutation(np.arange(VOCABULARY))[:count]


def test_the_first_layer_looks_at_the_token_before_wherever_it_stands(model: Any) -> None:
    states = model.model.embed_tokens(mx.array(tokens_of_their_own(120))[None])
    looked = attention_of(model.layers[0].self_attn, states)
    assert np.diag(looked, -1)[8:].mean() > 0.6
    assert (looked[8:].argmax(1) == np.arange(7, 119)).mean() > 0.9


@pytest.mark.parametrize("gap", [0, 17, 50])
def test_the_second_layer_looks_behind_the_same_token_at_any_distance(model: Any, gap: int) -> None:
    tokens = tokens_of_their_own(30 + gap)
    part, between = tokens[:30], tokens[30:]
    row = mx.array(np.concatenate([part, between, part]))[None]
    states = model.layers[0](model.model.embed_tokens(row), mask="causal")
    looked = attention_of(model.layers[1].self_attn, states)
    start = len(part) + len(between)
    behind = np.mean([looked[start + place, place + 1] for place in range(1, len(part) - 1)])
    by_chance = np.mean([1 / (start + place + 1) for place in range(1, len(part) - 1)])
    assert behind > 3 * by_chance  # sharper only by learning


def test_the_same_seed_lays_the_same_start(model: Any) -> None:
    same, other = (dict(tree_flatten(laid(seed).parameters())) for seed in (1, 2))
    mine = dict(tree_flatten(model.parameters()))
    assert all(mx.array_equal(value, same[name]) for name, value in mine.items())
    assert not mx.array_equal(
        mine["model.layers.1.self_attn.q_proj.weight"], other["model.layers.1.self_attn.q_proj.weight"]
    )
