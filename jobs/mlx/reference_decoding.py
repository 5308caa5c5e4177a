"""Greedy answers, most of them for the price of one forward pass: the reference is the draft.

Greedy decoding equals the reference exactly as far as the argmax at each answer position, given the
reference before it, is the reference's next token. Where they first part, decoding goes on from there
with the cache already filled, for several cases at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import mlx.core as mx
from mlx_lm.models.cache import KVCache, can_trim_prompt_cache, make_prompt_cache, trim_prompt_cache

from jobs.mlx.training.loss import AnswerLoss, output_layer

PREFILL = 512  # prompt tokens per forward pass, to bound the memory of attention
TOGETHER = 4096  # padded tokens of prompts and drafts in one pass, to bound its memory
FIRST_LOOK = 32  # draft tokens in the first pass: most answers that are wrong part from the reference early
REFILL = 4  # a batch is filled up when this fraction (1/4) is free: joining copies the whole cache


@dataclass(frozen=True)
class StopCriteria:
    """What ends an answer: one of the stop tokens, or its length in tokens."""

    stop_tokens: frozenset[int]
    max_tokens: int


@dataclass(frozen=True)
class Prompt:
    """One case in tokens.

    Args:
        tokens: What is asked, at least one token.
        reference: The expected answer, with or without its stop token; only a draft.
        stop: What ends the answer.
    """

    tokens: Sequence[int]
    reference: Sequence[int]
    stop: StopCriteria


@dataclass(frozen=True)
class Generated:
    """One greedy answer: its tokens without the stop token, and whether its length ended it."""

    tokens: list[int]
    truncated: bool
    accepted: int  # leading tokens that were taken from the reference


@dataclass
class _Row:
    """An answer in the making: its tokens so far, and the one that would be next."""

    number: int
    tokens: list[int]
    following: int
    stop: StopCriteria
    cache: list[Any]
    accepted: int

    @property
    def is_finished(self) -> bool:
        return self.following in self.stop.stop_tokens or len(self.tokens) >= self.stop.max_tokens

    @property
    def generated(self) -> Generated:
        return Generated(self.tokens, self.following not in self.stop.stop_tokens, self.accepted)


def greedy(model: Any, prompt: Prompt) -> Generated:
    """The model's greedy answer to one prompt."""
    return next(greedy_answers(model, [prompt], 1))[1]


def greedy_answers(model: Any, prompts: Sequence[Prompt], batch_size: int) -> Iterator[tuple[int, Generated]]:
    """The model's greedy answer to each prompt, as it is found: (the prompt's position, answer).

    Args:
        model: An mlx-lm model.
        prompts: Best in the order of their lengths, so that those beside each other need like room.
        batch_size: Answers that are continued at the same time, beyond what their drafts gave.
    """
    waiting = iter(DraftVerifier(model, prompts, batch_size))
    batch = _Batch(model)
    more = True
    while more or batch.rows:
        if more and (not batch.rows or len(batch.rows) <= batch_size - max(1, batch_size // REFILL)):
            begun = list(islice(waiting, batch_size - len(batch.rows)))
            more = bool(begun)
            yield from ((row.number, row.generated) for row in begun if row.is_finished)
            batch.join([row for row in begun if not row.is_finished])
        else:
            yield from ((row.number, row.generated) for row in batch.step())


def _shared_start(prompts: Sequence[Prompt]) -> list[int]:
    """The tokens that every prompt begins with; each prompt keeps at least one of its own."""
    if len(prompts) < 2:
        return []
    first, last = min(list(each.tokens) for each in prompts), max(list(each.tokens) for each in prompts)
    shortest = min(len(each.tokens) for each in prompts) - 1
    same = next((n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), shortest)
    return first[: min(same, shortest)]


class DraftVerifier:
    """Begins answers with as much of their references as the model would say itself, in the prompts' order.

    Several in one pass where that can be done; the turns that all prompts begin with are computed once.
    """

    def __init__(self, model: Any, prompts: Sequence[Prompt], batch_size: int) -> None:
        self.model = model
        self.prompts = prompts
        self.start = make_prompt_cache(model)
        # Rows are cut out of the common cache, and the output layer is applied to answers only: both must
        # be of the plain kind.
        together = AnswerLoss(model).sparse and all(type(layer) is KVCache for layer in self.start)
        self.most = batch_size if together else 1
        self.shared = _shared_start(prompts) if together else []
        _prefill(model, self.shared, self.start)

    def __iter__(self) -> Iterator[_Row]:
        group: list[_Draft] = []
        for number, prompt in enumerate(self.prompts):
            draft = _Draft(number, prompt)
            if group and not _fit([*group, draft], self.most):
                yield from self._verify(group)
                group = []
            group.append(draft)
        if group:
            yield from self._verify(group)

    def _verify(self, group: list[_Draft]) -> list[_Row]:
        """Go with each reference as far as the model would."""
        return [_verify_one(self.model, group[0])] if len(group) == 1 else self._verify_together(group)

    def _verify_together(self, group: list[_Draft]) -> list[_Row]:
        """All drafts in one pass, padded on the right, where no causal position before sees it."""
        known = len(self.shared)
        inputs = [draft.inputs[known:] for draft in group]
        width = max(map(len, inputs))
        padded = mx.array([row + [0] * (width - len(row)) for row in inputs])
        spans = [
            range(number * width + len(draft.prompt.tokens) - known - 1, number * width + len(row))
            for number, (draft, row) in enumerate(zip(group, inputs, strict=True))
        ]
        cache = self._cache_for(len(group))
        hidden = self.model.model(padded, cache=cache)
        chosen = hidden.reshape(-1, hidden.shape[-1])[
            mx.array([position for span in spans for position in span])
        ]
        predicted = iter(_argmax_of_hidden(self.model, chosen))
        tokens = [list(islice(predicted, len(span))) for span in spans]
        return [_row_where_it_diverges(draft, tokens[row], cache, row) for row, draft in enumerate(group)]

    def _cache_for(self, rows: int) -> list[Any]:
        cache = make_prompt_cache(self.model)
        for layer, start in zip(cache, self.start, strict=True):
            if self.shared:
                layer.keys, layer.values = (mx.repeat(part, rows, axis=0) for part in start.keys_and_values())
                layer.offset = start.offset
        return cache


@dataclass(frozen=True)
class _Draft:
    """A prompt with its number, and the reference as far as it may be taken."""

    number: int
    prompt: Prompt

    @cached_property
    def tokens(self) -> list[int]:
        return list(self.prompt.reference[: self.prompt.stop.max_tokens])

    @cached_property
    def inputs(self) -> list[int]:
        return [*self.prompt.tokens, *self.tokens]

    def diverges_at(self, position: int, token: int) -> bool:
        """Whether the answer ends or leaves the draft where `token` is predicted at `position`."""
        tokens = self.tokens
        return position == len(tokens) or token != tokens[position] or token in self.prompt.stop.stop_tokens

    def row(self, position: int, token: int, cache: list[Any]) -> _Row:
        """The answer from there on."""
        return _Row(self.number, self.tokens[:position], token, self.prompt.stop, cache, position)


def _fit(group: list[_Draft], most: int) -> bool:
    width = max(len(draft.inputs) for draft in group)
    return len(group) <= most and width <= PREFILL and width * len(group) <= TOGETHER


def _row_where_it_diverges(draft: _Draft, predicted: list[int], cache: list[Any], row: int) -> _Row:
    position = next(at for at, token in enumerate(predicted) if draft.diverges_at(at, token))
    length = len(draft.prompt.tokens) + position
    return draft.row(position, predicted[position], [_one_row(layer, row, length) for layer in cache])


def _argmax_of_hidden(model: Any, hidden: mx.array) -> list[int]:
    predicted: list[int] = []
    for start in range(0, len(hidden), PREFILL):
        logits = output_layer(model)(hidden[start : start + PREFILL])
        predicted += mx.argmax(logits, axis=-1).tolist()
    return predicted


def _one_row(layer: KVCache, number: int, length: int) -> KVCache:
    own = KVCache()
    own.keys = layer.keys[number : number + 1, :, :length]
    own.values = layer.values[number : number + 1, :, :length]
    own.offset = length
    return own


def _verify_one(model: Any, draft: _Draft) -> _Row:
    """One draft, in pieces: what comes after its first wrong token is not computed."""
    prompt = draft.prompt.tokens
    cache = make_prompt_cache(model)
    _prefill(model, prompt[:-1], cache)
    if not can_trim_prompt_cache(cache):  # a cache that cannot go back cannot hold a draft
        return draft.row(0, _argmax(model, prompt[-1:], cache)[0], cache)
    inputs = [prompt[-1], *draft.tokens]
    done = 0
    while True:
        piece = inputs[done : done + min(PREFILL, max(FIRST_LOOK, done))]
        for position, token in enumerate(_argmax(model, piece, cache), done):
            if draft.diverges_at(position, token):
                trim_prompt_cache(cache, done + len(piece) - position - 1)
                return draft.row(position, token, cache)
        done += len(piece)


class _Batch:
    """Answers that are continued together, each with its own room in one cache.

    mlx-lm's GenerationBatch (0.32.2) joins and filters caches alike. It is not used: it is no public
    interface, and it computes log-probabilities over the whole vocabulary for each token, and a copy of its
    cache for each finished row, which nobody reads here.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.rows: list[_Row] = []
        self.cache: list[Any] = []
        self.present = mx.array([], mx.int32)  # each row's next token, on the device, not looked at yet

    def join(self, rows: list[_Row]) -> None:
        if not rows:
            return
        merged = [type(layers[0]).merge(layers) for layers in zip(*(row.cache for row in rows), strict=True)]
        for row in rows:
            row.cache = []
        tokens = mx.array([row.following for row in rows], mx.int32)
        if self.rows:
            for layer, other in zip(self.cache, merged, strict=True):
                layer.extend(other)
            tokens = mx.concatenate([self.present, tokens])
        else:
            self.cache = merged
        self.present = tokens
        self.rows = [*self.rows, *rows]

    def step(self) -> list[_Row]:
        """One token more for each row; those that are finished leave.

        The next step is on its way before this one's tokens are looked at, so that the device never waits;
        what it does for a row that has just ended is thrown away.
        """
        logits = self.model(self.present[:, None], cache=self.cache)
        following = mx.argmax(logits[:, -1], axis=-1).astype(mx.int32)
        mx.async_eval(following)
        for row, token in zip(self.rows, self.present.tolist(), strict=True):
            row.following = token
        self.present = following
        finished = [row for row in self.rows if row.is_finished]
        if finished:
            self._leave()
        for row in self.rows:
            row.tokens.append(row.following)
        return finished

    def _leave(self) -> None:
        kept = [index for index, row in enumerate(self.rows) if not row.is_finished]
        self.rows = [self.rows[index] for index in kept]
        if not kept:
            self.cache = []
            return
        chosen = mx.array(kept)
        for layer in self.cache:
            layer.filter(chosen)
        self.present = self.present[chosen]


def _prefill(model: Any, tokens: Sequence[int], cache: list[Any]) -> None:
    for start in range(0, len(tokens), PREFILL):
        model(mx.array(tokens[start : start + PREFILL])[None], cache=cache)
        # Only the cache is evaluated: the output layer of prompt positions is never computed.
        mx.eval([layer.state for layer in cache])


def _argmax(model: Any, tokens: Sequence[int], cache: list[Any]) -> list[int]:
    logits = model(mx.array(tokens)[None], cache=cache)
    return [int(token) for token in mx.argmax(logits[0], axis=-1).tolist()]
