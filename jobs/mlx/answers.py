"""Greedy answers, most of them for the price of one forward pass: the reference is the draft.

Greedy decoding equals the reference exactly as far as the argmax at each answer position, given the
reference before it, is the reference's next token. Where they first part, decoding goes on from there
with the cache already filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import can_trim_prompt_cache, make_prompt_cache, trim_prompt_cache

PREFILL = 512  # prompt tokens per forward pass, to bound the memory of attention


@dataclass(frozen=True)
class Ending:
    """What ends an answer: one of the stop tokens, or its length in tokens."""

    stop: frozenset[int]
    limit: int


@dataclass(frozen=True)
class Generated:
    """One greedy answer: its tokens without the stop token, and whether the limit ended it."""

    tokens: list[int]
    truncated: bool
    drafted: int  # leading tokens that came from the reference


def greedy(model: Any, prompt: Sequence[int], reference: Sequence[int], ending: Ending) -> Generated:
    """The model's greedy answer to a prompt.

    Args:
        model: An mlx-lm model.
        prompt: The prompt's tokens, at least one.
        reference: The expected answer's tokens, with or without the stop token; only a draft.
        ending: What ends the answer.
    """
    cache = make_prompt_cache(model)
    _prefill(model, prompt[:-1], cache)
    if not can_trim_prompt_cache(cache):
        reference = []  # a cache that cannot go back cannot hold a draft
    draft = list(reference[: ending.limit])
    predicted = _argmax(model, [prompt[-1], *draft], cache)
    agreed = next(
        (i for i, token in enumerate(draft) if predicted[i] != token or token in ending.stop), len(draft)
    )
    trim_prompt_cache(cache, len(draft) - agreed)
    return _continue(model, cache, draft[:agreed], predicted[agreed], ending)


def _continue(model: Any, cache: list[Any], tokens: list[int], token: int, ending: Ending) -> Generated:
    drafted = len(tokens)
    answer = list(tokens)
    while token not in ending.stop:
        if len(answer) >= ending.limit:
            return Generated(answer, True, drafted)
        answer.append(token)
        token = _argmax(model, [token], cache)[0]
    return Generated(answer, False, drafted)


def _prefill(model: Any, tokens: Sequence[int], cache: list[Any]) -> None:
    for start in range(0, len(tokens), PREFILL):
        model(mx.array(tokens[start : start + PREFILL])[None], cache=cache)
        # Only the cache is evaluated: the output layer of prompt positions is never computed.
        mx.eval([layer.state for layer in cache])


def _argmax(model: Any, tokens: Sequence[int], cache: list[Any]) -> list[int]:
    logits = model(mx.array(tokens)[None], cache=cache)
    return [int(token) for token in mx.argmax(logits[0], axis=-1).tolist()]
